/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cli/each_token.h"

/* Where in a script a token stands: that decides how a variable is quoted. */
enum quoting { BARE, DOUBLE, SINGLE };

#define DEPTH 64 /* of $( inside "..." inside $( ...; deeper is taken as bare */

struct scan {
    enum quoting stack[DEPTH];
    size_t depth;
};

static enum quoting *
top(struct scan *self)
{
    return &self->stack[self->depth < DEPTH ? self->depth : DEPTH - 1];
}

static void
push(struct scan *self, enum quoting quoting)
{
    self->depth++;
    *top(self) = quoting;
}

/* Go over one character, or two that belong together; returns how many. */
static size_t
step(struct scan *self, const char *at)
{
    enum quoting now = *top(self);

    if (now == SINGLE) {
        if (*at == '\'')
            self->depth--;
        return 1;
    }
    if (*at == '\\' && at[1] != '\0')
        return 2;
    if (at[0] == '$' && at[1] == '(') {
        push(self, BARE);
        return 2;
    }
    if (*at == '"' && now == DOUBLE)
        self->depth--;
    else if (*at == '"')
        push(self, DOUBLE);
    else if (*at == '\'' && now == BARE)
        push(self, SINGLE);
    else if (*at == '(' && now == BARE)
        push(self, BARE);
    else if (*at == ')' && now == BARE && self->depth > 0)
        self->depth--;
    return 1;
}

static void
put_variable(const struct each *self, const struct each_token *token,
             enum quoting quoting, struct buf *out)
{
    static const char *const before[] = {"\"", "", "'\""};
    static const char *const behind[] = {"\"", "", "\"'"};

    for (size_t s = each_token_first(token); s <= each_token_last(self, token);
         s++) {
        if (s > each_token_first(token))
            buf_char(out, ' ');
        buf_text(out, before[quoting]);
        each_put_reference(self, s, token->part, out);
        buf_text(out, behind[quoting]);
    }
}

/* Inputs stay out of the code: it names variables that hold them. */
json_t *
each_script(const struct each *each)
{
    const struct each_token all = {.source = EACH_ALL, .part = EACH_WHOLE};
    const char *at = each->command[0];
    struct scan scan = {0};
    struct buf out = {0};
    json_t *json;

    while (*at) {
        struct each_token token;
        size_t n;

        if (each_token_read(each, at, &token)) {
            put_variable(each, &token, *top(&scan), &out);
            at += token.len;
            continue;
        }
        n = step(&scan, at);
        buf_add(&out, at, n);
        at += n;
    }
    if (each_tokens(each, NULL, NULL) == 0) {
        buf_char(&out, ' ');
        put_variable(each, &all, BARE, &out);
    }
    json = json_stringn(buf_str(&out), out.len);
    buf_release(&out);
    return json;
}
