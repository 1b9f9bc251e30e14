/* SPDX-License-Identifier: MPL-2.0 */
/*
 * shop - an agent's workers for a flow of the C API: real ones, as this program
 * itself, started again, is the flow's. Its functions are named in shop.c.
 */
#ifndef SUPPORT_SHOP_H
#define SUPPORT_SHOP_H

#include <stddef.h>
#include <stdint.h>

#include "agent/worker.h"
#include "base/buf.h"
#include "lib/leat.h"

#define MOST 20000

/* ---- the agent's side ---- */

/* One call and what became of it. */
struct made {
    struct work_spec spec;
    struct work work;
    struct result result; /* value and cause are ours */
    unsigned ended, not_begun, begun;
    struct buf out;
};

struct shop {
    leat_flow *flow;
    char *hash;
    char self[256];
    struct workers *workers;
    struct made *made; /* by ticket */
    uint32_t nmade;
    uint32_t ndone;
};

/* What main does when worker_is_wanted. */
int shop_serve(void);

void open_shop(struct shop *shop);
void close_shop(struct shop *shop);

/* A call of one of the functions, not handed over yet; `own` is taken. */
struct made *prepare(struct shop *shop, const char *name, json_t *own);
void hand_over(struct shop *shop, struct made *made, uint32_t slot);
/* Both, to the first slot. */
struct made *call(struct shop *shop, const char *name, json_t *own);

/* One turn of an agent's loop. */
void turn(struct shop *shop);
/* Turns until *what, which they change, is n. */
void work_until(struct shop *shop, const unsigned *what, unsigned n);
/* ... all calls have ended. */
void finish(struct shop *shop);

/* cause: NULL: there is none. */
void assert_result(const struct made *made, enum plan_state state,
                   const char *cause);

#endif
