/* SPDX-License-Identifier: MPL-2.0 */
/* What a task of a C flow may be told, and how functions end. */
#include <leat.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static json_t *
fine(leat_task *task)
{
    (void)task;
    return json_true();
}

static json_t *
fails(leat_task *task)
{
    leat_fail(task, "attempt %u of %s", leat_task_attempt(task),
              leat_task_name(task));
}

static json_t *
skips(leat_task *task)
{
    leat_skip(task, "nothing to do");
}

static json_t *
third_time(leat_task *task)
{
    if (leat_task_attempt(task) < 3)
        leat_retry(task, "not yet");
    return json_integer(leat_task_attempt(task));
}

static json_t *
hangs(leat_task *task)
{
    (void)task;
    while (getpid() > 0)
        (void)pause();
    return NULL;
}

static json_t *
breaks(leat_task *task)
{
    (void)task;
    (void)puts("last words");
    (void)fflush(stdout);
    abort();
}

/* Two at a time would meet. */
static json_t *
alone(leat_task *task)
{
    char path[4096];

    (void)snprintf(path, sizeof path, "%s/alone", leat_string(task, "dir"));
    if (mkdir(path, 0700) < 0)
        leat_fail(task, "not alone");
    (void)poll(NULL, 0, 5);
    if (rmdir(path) < 0)
        leat_fail(task, "not alone");
    return NULL;
}

static void
triggers(leat_flow *flow, leat_ref good, leat_ref bad, leat_ref skip)
{
    static const struct {
        const char *name;
        leat_trigger trigger;
    } all[] = {
        {"all_successful", LEAT_ALL_SUCCESSFUL},
        {"all_failed", LEAT_ALL_FAILED},
        {"any_successful", LEAT_ANY_SUCCESSFUL},
        {"any_failed", LEAT_ANY_FAILED},
        {"all_finished", LEAT_ALL_FINISHED},
        {"not_all_skipped", LEAT_NOT_ALL_SKIPPED},
        {"some_successful", LEAT_SOME_SUCCESSFUL},
        {"some_failed", LEAT_SOME_FAILED},
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        leat_ref task = leat_flow_add_task(flow, all[i].name, fine);

        leat_set_upstream(task, good, NULL);
        leat_set_upstream(task, bad, NULL);
        leat_set_upstream(task, skip, NULL);
        leat_options(task, .skip_on_upstream_skip = LEAT_NO);
        if (all[i].trigger < LEAT_SOME_SUCCESSFUL)
            leat_options(task, .trigger = all[i].trigger);
        else
            leat_options(task, .trigger = all[i].trigger,
                         .at_least = LEAT_BOUND(1), .at_most = LEAT_BOUND(0.5));
    }
}

static void
attempts(leat_flow *flow)
{
    leat_ref task = leat_call(flow, third_time);

    leat_options(task, .retry = 5, .retry_delay = "1ms", .retry_backoff = 2,
                 .retry_max = "3ms", .retry_jitter = 0.5,
                 .retry_on = LEAT_ON_LOST);
    task = leat_name(leat_call(flow, third_time), "too_few");
    leat_options(task, .retry = 1);
    task = leat_name(leat_call(flow, fails), "in_vain");
    leat_options(task, .retry = 1, .retry_on = LEAT_ON_FAILED);
    task = leat_name(leat_call(flow, fails), "not_for_this");
    leat_options(task, .retry = 1, .retry_on = LEAT_ON_TIMEOUT);
    task = leat_call(flow, hangs);
    leat_options(task, .timeout = "100ms", .grace = "50ms", .retry = 1,
                 .retry_on = LEAT_ON_TIMEOUT);
    task = leat_call(flow, breaks);
    leat_options(task, .timeout = "1m");
    task = leat_name(leat_call(flow, third_time), "exclusive");
    leat_options(task, .exclusive = LEAT_YES, .retry = 3);
    task = leat_name(leat_call(flow, fails), "once");
    leat_options(task, .at_most_once = LEAT_YES);
}

LEAT_FLOW(options, flow)
{
    leat_ref good = leat_call(flow, fine);
    leat_ref bad = leat_call(flow, fails);
    leat_ref skip = leat_call(flow, skips);
    leat_ref one = leat_value(flow, json_integer(1));
    leat_ref six = leat_value(flow, json_integer(6));
    leat_ref task;

    (void)leat_parameter_with(flow, "dir", .type = LEAT_PATH);
    (void)leat_parameter(flow, "salt");
    leat_flow_set_limit(flow, "one", 1);
    leat_flow_set_max_fails(flow, 100);
    triggers(flow, good, bad, skip);
    attempts(flow);
    task = leat_name(leat_call(flow, fine), "after_skip");
    leat_set_upstream(task, skip, NULL);
    leat_options(task, .skip_on_upstream_skip = LEAT_YES,
                 .product = LEAT_DEFAULT, .exclusive = LEAT_DEFAULT);
    task = leat_name(leat_call(flow, fine), "not_now");
    leat_options(task, .when = "exit 3");
    task = leat_name(leat_call(flow, fine), "now");
    leat_options(task, .when = "exit 0");
    task = leat_name(leat_call(flow, fine), "made");
    leat_options(task, .creates = leat_value(flow, json_string("/usr")));
    task = leat_name(leat_call(flow, fine), "kept");
    leat_options(task, .cache = "1h", .priority = -4);
    task = leat_map(flow, alone, {"i", leat_range(one, six)});
    leat_options(task, .tags = LEAT_WORDS("one", "two"), .max_parallel = 3);
    task = leat_name(leat_call(flow, fine), "licensed");
    leat_options(
        task, .priority = 7,
        .resources =
            LEAT_RESOURCES({"cpus", 0.5}, {"licence", 2}, {"memory", 1048576}),
        .where = LEAT_ARGS({"os", leat_value(flow, json_string("linux"))}));
    leat_flow_set_reference_tasks(flow, good);
}
