/* SPDX-License-Identifier: MPL-2.0 */
/*
 * task - what a C function sees of the attempt it carries out.
 *
 * Private side of leat.h's leat_task: made by an executor around one call. Its
 * arguments come from a run in this process, or from what travelled here.
 */
#ifndef LIB_TASK_H
#define LIB_TASK_H

#include <jansson.h>
#include <setjmp.h>
#include <stdint.h>

#include "flow/plan.h"
#include "flow/run.h"
#include "flow/work.h"
#include "proto/limits.h"

struct leat_task {
    const struct flow *flow; /* borrowed, as all pointers up to kept */
    struct run *run;         /* where arguments are looked up; or NULL: */
    /* Travelled here: what is its own is read from here when first asked for;
     * NULL: it was, or there is none. */
    const struct work *unread;
    json_t *own;    /* each keys and with bindings; or NULL */
    json_t *params; /* an object: of the run */
    struct plan_id id;
    uint32_t attempt;    /* from 1 */
    uint64_t run_number; /* 0 without a store */
    /* What the function asked for; SUCCEEDED until it says otherwise. */
    enum plan_state state;
    char cause[LIMIT_CAUSE_BYTES];
    /* During the call: */
    json_t *kept;       /* values handed out, or NULL */
    sigjmp_buf *unwind; /* to the caller of the function */
};

/*
 * Call the task's C function; *value is what it gave (the caller's, maybe
 * NULL). A function that returns NULL without a word has succeeded with null.
 * One that fails, skips or asks for a retry is left at once, by siglongjmp.
 */
void task_call(struct leat_task *self, json_t **value);

#endif
