/* SPDX-License-Identifier: MPL-2.0 */
/*
 * input - the flow that a command is about, and its parameters.
 */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include <jansson.h>

#include "cli/cli.h"
#include "flow/diag.h"
#include "flow/flow.h"

struct input {
    struct flow *flow;  /* checked; owned, or of `program` */
    leat_flow *program; /* the flow of a program; or NULL */
    json_t *params;     /* all of the flow's, or NULL */
};

/*
 * Get the flow of a file, or the program's own (file NULL). What is wrong is
 * told; returns 0 or what to exit with. Release it in either case.
 */
int input_flow(struct input *self, const struct cli *cli, const char *file);

/* Bind the parameters from -p, -P, LEAT_PARAM_* and the flow's defaults. */
int input_params(struct input *self, const struct cli *cli,
                 const struct args *args);

void input_release(struct input *self);

/* Add a line for each parameter of the flow, for --help. */
void input_describe(const struct flow *flow, const struct cli *cli,
                    struct buf *out);

/*
 * Does a word name a run rather than a flow file? A number, last, or a name
 * that no file has.
 */
bool input_is_run(const char *word);

#endif
