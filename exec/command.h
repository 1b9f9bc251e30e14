/* SPDX-License-Identifier: MPL-2.0 */
/*
 * command - from a task and its bindings to what exec can start.
 *
 * Builds argv, environment and input of a command task (FLOW_SCRIPT or
 * FLOW_ARGV), the same for every executor.
 */
#ifndef EXEC_COMMAND_H
#define EXEC_COMMAND_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "exec/exec.h"

/* All borrowed. */
struct command_request {
    const char *script;     /* given to the shell, or NULL */
    const char *shell;      /* NULL: bash -euo pipefail, else sh -eu */
    const json_t *argv;     /* without a script: a list; elements as text */
    const json_t *bindings; /* object: parameters, each keys, with bindings */
    const json_t *env;      /* object of env:, or NULL */
    const json_t *input;    /* value for stdin, or NULL */
    const char *cwd;        /* or NULL */
    const char *const *context; /* NAME=VALUE, NULL-terminated: LEAT_RUN, ... */
    const char *const *base;    /* surrounding environment, NULL-terminated */
};

struct command; /* owns what the spec points to */

/*
 * Environment: `base` less LD_* and LEAT_*, then env, then bindings (value_text;
 * "-" in a name becomes "_"), then context; a later one replaces an earlier.
 * If the script or argv mentions LEAT_INPUT, it names a file with all bindings
 * as JSON, which command_destroy removes; bindings that the kernel would not
 * take as variables are then only there. Else such a binding is ERR_LIMIT
 * (too large) or ERR_INVALID (has a NUL in it): which, how much, what to do.
 *
 * The script is the shell's last argument, behind its words as given (split at
 * spaces) or, if it is one word, behind -c. A script longer than an argument
 * may be goes to such a shell in a file.
 *
 * The input is the value's text, made to end with a newline unless empty, as
 * what comes out of a pipe does.
 */
int command_new(struct command **ret, const struct command_request *request,
                struct err *err);
void command_destroy(struct command **self_p);

/* Set argv, envp, cwd, input and ninput of *spec; they live as long as self. */
void command_spec(const struct command *self, struct exec_spec *spec);

#endif
