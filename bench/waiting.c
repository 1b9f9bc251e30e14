/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a run holds for each task that waits, and for each child of a map that
 * has not started: the heap as the first task sees it, less what the flow
 * itself took before the run.
 */
#include <leat.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define N 100000

static size_t before, during;

static size_t
heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static json_t *
look(leat_task *task)
{
    if (leat_task_index(task) <= 0)
        during = heap_bytes();
    return NULL;
}

static json_t *
noop(leat_task *task)
{
    (void)task;
    return NULL;
}

static void
make_chain(leat_flow *flow)
{
    leat_ref last = leat_flow_add_task(flow, "first", look);

    for (int i = 0; i < N; i++) {
        leat_ref next;
        char name[16];

        (void)snprintf(name, sizeof name, "t%d", i);
        next = leat_flow_add_task(flow, name, noop);
        leat_set_upstream(next, last, NULL);
        last = next;
    }
}

static void
make_map(leat_flow *flow)
{
    leat_map(flow, look,
             {"i", leat_range(leat_value(flow, json_integer(1)),
                              leat_value(flow, json_integer(N)))});
}

static void
measure(const char *what, const char *aim, void make(leat_flow *))
{
    leat_flow *flow = leat_flow_new("waiting");
    leat_err err;

    make(flow);
    if (leat_flow_check(flow, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
    before = heap_bytes();
    if (leat_flow_run(flow, NULL, NULL, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
    printf("%s\t%.0f B\t\t\t\t\t%s\n", what, (double)(during - before) / N,
           aim);
    leat_flow_destroy(&flow);
}

int
main(void)
{
    measure("memory of a run per waiting task", "128 B", make_chain);
    measure("memory of a run per child that has not started", "32 B", make_map);
    return 0;
}
