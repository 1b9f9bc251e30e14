/* SPDX-License-Identifier: MPL-2.0 */
/*
 * attempts - run commands through exec/ in tests.
 */
#ifndef TESTS_SUPPORT_ATTEMPTS_H
#define TESTS_SUPPORT_ATTEMPTS_H

#include "base/buf.h"
#include "base/span.h"
#include "exec/exec.h"

#define SHELL(script)                                                       \
    ((const char *const[]){"/bin/bash", "-euo", "pipefail", "-c", (script), \
                           NULL})
#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

/* No test waits longer than this. */
#define PATIENCE (60 * SPAN_SECOND)

struct attempts {
    struct exec *exec;
    struct buf seen[EXEC_STREAM_COUNT]; /* what on_output got */
    uint64_t nseen;                     /* bytes of both */
    bool forget;                        /* only count */
};

extern const char *const plain_env[]; /* a PATH and nothing else */

/* cmocka fixtures: *state is a struct attempts; it must leave no child. */
int attempts_setup(void **state);
int attempts_teardown(void **state);

/* Start a command with plain_env where the spec says nothing. */
void attempts_start(struct attempts *self, struct exec_spec spec);
/* The next that ends. */
struct exec_done attempts_wait(struct attempts *self);
struct exec_done attempts_run(struct attempts *self, struct exec_spec spec);
struct exec_done attempts_shell(struct attempts *self, const char *script);
/* It succeeds, and writes just this on its stdout. */
void attempts_expect(struct attempts *self, struct exec_spec spec,
                     const char *out);

/* Wait until the output holds a text. */
void attempts_wait_for(struct attempts *self, const char *text);

/* The processes of the machine whose command line has this word. */
unsigned attempts_count(const char *word);

#endif
