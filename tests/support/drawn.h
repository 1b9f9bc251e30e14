/* SPDX-License-Identifier: MPL-2.0 */
/*
 * drawn - flows and runs made by hand, and what they look like.
 */
#ifndef SUPPORT_DRAWN_H
#define SUPPORT_DRAWN_H

#include <stdint.h>

#include "flow/flow.h"
#include "lib/graph.h"

/* A task that needs others, named with blanks between. */
struct flow_task *add(struct flow *flow, const char *name, const char *needs);

struct flow *three_numbers(void); /* and their sum */
/* A branch on a condition, merged again. */
struct flow *branches(void);
/* Child to child. */
struct flow *mapped(void);

/* A run of the flow, which is taken, that has succeeded; nothing is known of
 * its tasks. */
struct history *begin(struct flow **flow_p);
struct history_item *end(struct history *h, const char *name,
                         enum plan_state state, int64_t took);
struct history_item *end_child(struct history *h, const char *name,
                               const char *key, enum plan_state state);

/* A heap string. history: NULL: of the flow alone. */
char *draw(const struct flow *flow, const struct history *history,
           enum graph_format format, unsigned width);
/* What a flow looks like, and that it is so twice; destroys it. */
void expect(struct flow *flow, enum graph_format format, unsigned width,
            const char *expected);
void expect_run(struct history *history, enum graph_format format,
                unsigned width, const char *expected);

#endif
