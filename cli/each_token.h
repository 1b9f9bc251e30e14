/* SPDX-License-Identifier: MPL-2.0 */
/*
 * each_token - what stands for inputs in the command of an each, and the
 * variables that carry them.
 */
#ifndef CLI_EACH_TOKEN_H
#define CLI_EACH_TOKEN_H

#include <stdint.h>

#include "cli/each.h"

#define EACH_ALL  SIZE_MAX /* sources */
#define EACH_NAME 32       /* room for a variable's name */

struct each_token {
    size_t source; /* or EACH_ALL */
    enum each_part part;
    size_t len; /* of its text */
};

/* Is there a token at the start of text? */
bool each_token_read(const struct each *each, const char *text,
                     struct each_token *ret);

/* The first and the last of the sources that it stands for. */
size_t each_token_first(const struct each_token *token);
size_t each_token_last(const struct each *each, const struct each_token *token);

/* Call fn (or NULL) for each token of the command; returns how many. */
typedef void each_token_fn(void *ctx, const struct each_token *token);
size_t each_tokens(const struct each *each, each_token_fn *fn, void *ctx);

/* The variable that carries a part of an input. */
void each_variable(const struct each *each, size_t source, enum each_part part,
                   char name[EACH_NAME]);
/* Add "${variable}". */
void each_put_reference(const struct each *each, size_t source,
                        enum each_part part, struct buf *out);

/* The command as a script that names variables where tokens stand. */
json_t *each_script(const struct each *each);

#endif
