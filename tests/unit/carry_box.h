/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Attempts carried out by a carrier of their own, in a folder of their own.
 */
#ifndef TESTS_UNIT_CARRY_BOX_H
#define TESTS_UNIT_CARRY_BOX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "exec/carry.h"
#include "flow/value.h"
#include "tests/support/attempts.h"

#define MOST 8

/* One attempt: what is to be done, and what became of it. */
struct one {
    struct work_spec spec;
    struct work work;
    struct buf out;
    struct buf words; /* leat's own */
    struct carry_done done;
    bool called, ended;
};

struct box {
    struct carrier *carrier;
    struct one ones[MOST];
    int n;
    char *dir; /* of its own, and where the test was started */
    char *from;
    const char *until;        /* output after which ... */
    const struct one *cancel; /* ... this is cancelled */
};

static inline void
on_output(void *ctx, void *tag, int stream, const char *data, size_t n)
{
    struct box *box = ctx;
    struct one *one = tag;
    struct buf *seen = stream == 0 ? &one->words : &one->out;

    buf_add(seen, data, n);
    if (box->until && strstr(buf_str(seen), box->until)) {
        box->until = NULL;
        carrier_cancel(box->carrier, box->cancel, false);
    }
}

static inline int
setup(void **state)
{
    struct box *box = mem_alloc(1, sizeof *box);
    struct err err;

    assert_int_equal(carrier_new(&box->carrier, on_output, box, &err), 0);
    box->dir = mem_dup("/tmp/leat-test-XXXXXX");
    assert_non_null(mkdtemp(box->dir));
    box->from = getcwd(NULL, 0);
    assert_int_equal(chdir(box->dir), 0);
    *state = box;
    return 0;
}

static inline int
teardown(void **state)
{
    struct box *box = *state;

    assert_int_equal(carrier_running(box->carrier), 0);
    carrier_destroy(&box->carrier);
    for (int i = 0; i < box->n; i++) {
        struct one *one = &box->ones[i];

        carry_done_release(&one->done);
        work_release(&one->work);
        buf_release(&one->out);
        buf_release(&one->words);
    }
    assert_int_equal(chdir(box->from), 0);
    assert_int_equal(rmdir(box->dir), 0);
    free(box->dir);
    free(box->from);
    free(box);
    return 0;
}

/* One more, which is started by start(). */
static inline struct one *
one(struct box *box, const char *script)
{
    struct one *ret = &box->ones[box->n++];

    assert_in_range(box->n, 1, MOST);
    ret->spec = (struct work_spec){
        .run = 12,
        .flow = "test",
        .name = "it",
        .kind = script ? FLOW_SCRIPT : FLOW_CALL,
        .value = VALUE_TEXT,
        .script = script ? script : "it",
        .shell = "sh",
        .grace = SPAN_SECOND,
    };
    ret->work =
        (struct work){.spec = &ret->spec, .id = {0, PLAN_WHOLE}, .attempt = 1};
    return ret;
}

static inline void
start(struct box *box, struct one *it)
{
    carrier_start(box->carrier, &it->work, NULL, it);
}

/* Take what comes until it has been handed out for its call, or has ended. */
static inline void
wait_for(struct box *box, const struct one *it)
{
    while (!it->called && !it->ended) {
        struct carry_done done;
        enum carry_step step = carrier_wait(box->carrier, PATIENCE, &done);
        struct one *what = done.tag;

        assert_int_not_equal(step, CARRY_NONE);
        what->called = step == CARRY_CALL;
        what->ended = step == CARRY_ENDED;
        what->done = done;
    }
}

static inline void
expect_end(struct box *box, struct one *it, enum plan_state state,
           const char *value, const char *cause)
{
    struct buf json = {0};

    wait_for(box, it);
    assert_true(it->ended);
    assert_string_equal(buf_str(&it->done.cause), cause);
    assert_int_equal(it->done.state, state);
    if (it->done.value)
        value_json(it->done.value, &json);
    assert_string_equal(buf_str(&json), value);
    assert_in_range(it->done.ended - it->done.started, 0, PATIENCE);
    buf_release(&json);
}

/* Start a script and see its end. */
static inline struct one *
expect(struct box *box, const char *script, enum plan_state state,
       const char *value, const char *cause)
{
    struct one *it = one(box, script);

    start(box, it);
    expect_end(box, it, state, value, cause);
    return it;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
