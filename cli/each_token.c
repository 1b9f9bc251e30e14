/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/each_token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const part_texts[EACH_PART_COUNT] = {
    [EACH_WHOLE] = "",    [EACH_NO_ENDING] = ".", [EACH_BASE] = "/",
    [EACH_FOLDER] = "//", [EACH_STEM] = "/.",     [EACH_NUMBER] = "#",
};

bool
each_token_read(const struct each *each, const char *text,
                struct each_token *ret)
{
    size_t digits, n;
    unsigned long source;

    if (text[0] != '{')
        return false;
    digits = strspn(text + 1, "0123456789");
    source = digits > 0 && digits < 5 ? strtoul(text + 1, NULL, 10) : 0;
    if (digits > 0 && (source == 0 || source > each->nsource))
        return false;
    for (int part = 0; part < EACH_PART_COUNT; part++) {
        n = strlen(part_texts[part]);
        if (strncmp(text + 1 + digits, part_texts[part], n) != 0 ||
            text[1 + digits + n] != '}')
            continue;
        if (part == EACH_NUMBER && digits > 0)
            return false;
        *ret = (struct each_token){digits > 0 ? source - 1 : EACH_ALL,
                                   (enum each_part)part, digits + n + 2};
        return true;
    }
    return false;
}

size_t
each_token_first(const struct each_token *token)
{
    return token->source == EACH_ALL ? 0 : token->source;
}

size_t
each_token_last(const struct each *each, const struct each_token *token)
{
    if (token->part == EACH_NUMBER)
        return 0;
    return token->source == EACH_ALL ? each->nsource - 1 : token->source;
}

size_t
each_tokens(const struct each *each, each_token_fn *fn, void *ctx)
{
    size_t n = 0;

    for (size_t i = 0; i < each->ncommand; i++) {
        for (const char *at = each->command[i]; *at; at++) {
            struct each_token token;

            if (!each_token_read(each, at, &token))
                continue;
            n++;
            at += token.len - 1;
            if (fn)
                fn(ctx, &token);
        }
    }
    return n;
}

void
each_variable(const struct each *each, size_t source, enum each_part part,
              char name[EACH_NAME])
{
    static const char *const endings[EACH_PART_COUNT] = {
        [EACH_WHOLE] = "",     [EACH_NO_ENDING] = "_noext",
        [EACH_BASE] = "_base", [EACH_FOLDER] = "_dir",
        [EACH_STEM] = "_stem", [EACH_NUMBER] = "",
    };

    if (part == EACH_NUMBER)
        (void)snprintf(name, EACH_NAME, "seq");
    else if (each->nsource == 1)
        (void)snprintf(name, EACH_NAME, "arg%s", endings[part]);
    else
        (void)snprintf(name, EACH_NAME, "arg%zu%s", source + 1, endings[part]);
}

void
each_put_reference(const struct each *each, size_t source, enum each_part part,
                   struct buf *out)
{
    char name[EACH_NAME];

    each_variable(each, source, part, name);
    buf_printf(out, "${%s}", name);
}
