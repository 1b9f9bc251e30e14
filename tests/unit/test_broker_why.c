/* SPDX-License-Identifier: MPL-2.0 */
/* What no agent can run, and why something waits. */
#include "tests/unit/broker_world.h"

static const struct plan_id first = {0, PLAN_WHOLE};

/* ---- what can never be ---- */

static void
check_impossible(struct broker_world *w, uint64_t run, const char *text)
{
    struct buf out = {0};
    bool found = broker_impossible(w->broker, run, w->now, &out);

    assert_string_equal(buf_str(&out), text);
    assert_int_equal(found, *text != '\0');
    buf_release(&out);
}

static void
what_no_agent_could_ever_run_is_told_after_a_second(void **state)
{
    struct flow_resource has[] = {{(char[]){"gpus"}, 2}};
    struct broker_world *w = *state;

    submit(w, HEAD "  train: { run: x, resources: { gpus: 4 } }\n");
    submit(w, HEAD "  g: { run: x, resources: { gpus: 1 } }\n");
    tick(w);
    pass(w, 5 * SPAN_SECOND);
    check_impossible(w, 1, ""); /* no agents: they may come */
    join(w, "box", 1);
    check_impossible(w, 1, "");
    tick(w);
    check_impossible(w, 1, "");
    pass(w, SPAN_SECOND);
    check_impossible(w, 1, "task `train` needs 4 gpus; box has 0");
    w->resources = has;
    w->nresource = 1;
    join(w, "big", 1);
    tick(w);
    pass(w, SPAN_SECOND);
    check_impossible(w, 1,
                     "task `train` needs 4 gpus; box has 0, "
                     "big has 2 (1 free)");
    check_impossible(w, 2, "");
    check_impossible(w, 3, "");
}

static void
note_impossible(void *ctx, uint64_t run, struct plan_id id, const char *text)
{
    struct broker_world *w = ctx;

    buf_printf(&w->journal, "%u.%u %s\n", (unsigned)run, id.task, text);
}

static void
what_no_agent_could_run_is_told_once(void **state)
{
    struct flow_resource has[] = {{(char[]){"gpus"}, 8}};
    struct broker_world *w = *state;

    submit(w, HEAD "  s: { run: x, priority: 1 }\n"
                   "  a: { run: x, resources: { gpus: 4 } }\n"
                   "  b: { run: x, resources: { gpus: 4 } }\n");
    submit(w, HEAD "  c: { run: x, resources: { gpus: 2 } }\n");
    join(w, "box", 1);
    tick(w);
    broker_tell_impossible(w->broker, w->now, note_impossible, w);
    check(w, "box task s\n");
    for (int i = 0; i < 5; i++) {
        beat(w, "box");
        pass(w, SPAN_SECOND);
        broker_tell_impossible(w->broker, w->now, note_impossible, w);
    }
    check(w, "1.1 task `a` needs 4 gpus; box has 0\n"
             "2.0 task `c` needs 2 gpus; box has 0\n");
    w->resources = has;
    w->nresource = 1;
    join(w, "big", 2);
    tick(w);
    broker_tell_impossible(w->broker, w->now, note_impossible, w);
    check(w, "big task c\nbig task a\n");
    gone(w, "big", GONE_LEFT); /* now b again */
    pass(w, SPAN_SECOND);
    pass(w, SPAN_SECOND);
    broker_tell_impossible(w->broker, w->now, note_impossible, w);
    check(w, "big dropped: it left\n"
             "1.1 task `a` needs 4 gpus; box has 0\n"
             "2.0 task `c` needs 2 gpus; box has 0\n");
}

/* A flow may ask for something else in each of its tasks. */
static void
only_the_first_kinds_that_nobody_can_run_are_told(void **state)
{
    struct broker_world *w = *state;
    struct buf text = {0};
    size_t n = 0;

    buf_text(&text, HEAD);
    for (int i = 0; i < 20000; i++)
        buf_printf(&text, "  t%d: { run: x, resources: { r%d: 1 } }\n", i, i);
    buf_text(&text, "  last: { run: x }\n");
    submit(w, buf_str(&text));
    join(w, "box", 1);
    tick(w);
    check(w, "box task last\n");
    for (int i = 0; i < 3; i++) {
        broker_tell_impossible(w->broker, w->now, note_impossible, w);
        beat(w, "box");
        pass(w, SPAN_SECOND);
    }
    for (size_t i = 0; i < w->journal.len; i++)
        n += w->journal.data[i] == '\n';
    assert_int_equal(n, 20);
    buf_release(&text);
}

static void
what_can_be_nowhere_is_told_with_what_there_is(void **state)
{
    static const char *const labels[] = {"zone=a"};
    struct flow_resource has[] = {{(char[]){"memory"}, 0x1p30}};
    struct broker_world *w = *state;

    submit(w, HEAD "  a: { run: x, where: { zone: b } }\n");
    submit(w, HEAD "  a: { run: x, resources: { memory: 1GiB }, "
                   "where: { zone: a } }\n");
    w->resources = has;
    w->nresource = 1;
    join(w, "box", 1);
    w->resources = NULL;
    w->nresource = 0;
    w->labels = labels;
    w->nlabel = 1;
    join(w, "big", 1);
    tick(w);
    pass(w, SPAN_SECOND);
    check_impossible(w, 1,
                     "task `a` must run where zone is `b`; box has none, "
                     "big is `a`");
    check_impossible(w, 2,
                     "task `a` needs 1 cpu, 1 GiB of memory, zone `a`, "
                     "and no agent has all of that");
}

static void
why_says_what_each_instance_waits_for(void **state)
{
    struct broker_world *w = *state;
    struct buf out = {0};
    struct err err;

    submit(w, HEAD "  a: { run: x }\n  b: { needs: [a], run: x }\n"
                   "  c: { run: x, retry: { times: 1, delay: 9 } }\n");
    tick(w);
    check_why(w, 1, first,
              "is ready and waits for an agent\n"
              "there are no agents\n");
    check_why(w, 1, (struct plan_id){1, PLAN_WHOLE},
              "waits for `a`, which is ready\n");
    join(w, "box", 2);
    tick(w);
    check_why(w, 1, first, "was given to box, which has not begun it yet\n");
    began(w, "a");
    check_why(w, 1, first, "runs on box\n");
    end_as(w, "c", PLAN_FAILED, SPAN_SECOND);
    check_why(w, 1, (struct plan_id){2, PLAN_WHOLE},
              "waits to be tried again\n");
    end_as(w, "a", PLAN_FAILED, SPAN_SECOND);
    check_why(w, 1, first, "is failed: scripted\n");
    assert_int_equal(broker_why(w->broker, 9, first, &out, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(
        broker_why(w->broker, 1, (struct plan_id){7, 0}, &out, &err), -1);
    assert_string_equal(err.msg, "run 1 has no such task");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_no_agent_could_ever_run_is_told_after_a_second),
        TEST(what_no_agent_could_run_is_told_once),
        TEST(only_the_first_kinds_that_nobody_can_run_are_told),
        TEST(what_can_be_nowhere_is_told_with_what_there_is),
        TEST(why_says_what_each_instance_waits_for),
    };

    return cmocka_run_group_tests_name("broker_schedule", tests, NULL, NULL);
}
