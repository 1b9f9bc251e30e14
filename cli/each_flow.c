/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/each_token.h"
#include "cli/which.h"

/* ---- keys: the variables that carry inputs ---- */

struct keys {
    const struct each *each;
    bool used[EACH_SOURCES][EACH_PART_COUNT];
    bool only_whole; /* nothing is cut or counted */
};

static void
use_key(void *ctx, const struct each_token *token)
{
    struct keys *self = ctx;

    for (size_t s = each_token_first(token);
         s <= each_token_last(self->each, token); s++)
        self->used[token->part == EACH_NUMBER ? 0 : s][token->part] = true;
    if (token->part != EACH_WHOLE)
        self->only_whole = false;
}

/* Inputs are no templates: each dollar sign is itself. */
static json_t *
plain_string(const char *text)
{
    struct buf out = {0};
    json_t *json;

    for (; *text; text++) {
        if (*text == '$')
            buf_char(&out, '$');
        buf_char(&out, *text);
    }
    json = json_stringn(buf_str(&out), out.len);
    buf_release(&out);
    return json;
}

static json_t *
row_list(const struct each *self, size_t source, enum each_part part)
{
    json_t *list = json_array();
    struct buf text = {0};

    for (size_t row = 0; row < self->nrow; row++) {
        buf_clear(&text);
        each_put_part(part, each_input(self, source, row), row, &text);
        json_array_append_new(list, plain_string(buf_str(&text)));
    }
    buf_release(&text);
    return list;
}

static json_t *
item_list(const struct each_source *source)
{
    json_t *list = json_array();

    for (size_t i = 0; i < source->n; i++)
        json_array_append_new(list, plain_string(source->items[i]));
    return list;
}

static bool
is_linked(const struct each *self)
{
    for (size_t i = 0; i < self->nsource; i++) {
        if (self->sources[i].linked)
            return true;
    }
    return false;
}

/*
 * The combinations are the flow's to make, unless parts of inputs are wanted
 * too: then all rows are written out, in step.
 */
static void
add_each(const struct each *self, json_t *task)
{
    struct keys keys = {.each = self, .only_whole = true};
    json_t *each = json_object();
    bool product;
    char name[EACH_NAME];

    (void)each_tokens(self, use_key, &keys);
    product = keys.only_whole && !is_linked(self);
    for (size_t s = 0; s < self->nsource; s++) {
        each_variable(self, s, EACH_WHOLE, name);
        json_object_set_new(each, name,
                            product ? item_list(&self->sources[s])
                                    : row_list(self, s, EACH_WHOLE));
    }
    for (size_t s = 0; s < self->nsource; s++) {
        for (int part = EACH_WHOLE + 1; part < EACH_PART_COUNT; part++) {
            if (!keys.used[s][part])
                continue;
            each_variable(self, s, (enum each_part)part, name);
            json_object_set_new(each, name,
                                row_list(self, s, (enum each_part)part));
        }
    }
    if (!product && json_object_size(each) > 1)
        json_object_set_new(task, "zip", json_true());
    json_object_set_new(task, "each", each);
}

/* ---- without a shell ---- */

static void
put_word(const struct each *self, const char *word, struct buf *out)
{
    while (*word) {
        struct each_token token;

        if (!each_token_read(self, word, &token)) {
            if (*word == '$')
                buf_char(out, '$');
            buf_char(out, *word++);
            continue;
        }
        for (size_t s = each_token_first(&token);
             s <= each_token_last(self, &token); s++) {
            if (s > each_token_first(&token))
                buf_char(out, ' ');
            each_put_reference(self, s, token.part, out);
        }
        word += token.len;
    }
}

/* A word that is nothing but {} becomes one for each source. */
static void
add_word(const struct each *self, const char *word, json_t *argv)
{
    struct buf out = {0};
    struct each_token token;

    if (each_token_read(self, word, &token) && word[token.len] == '\0') {
        for (size_t s = each_token_first(&token);
             s <= each_token_last(self, &token); s++) {
            buf_clear(&out);
            each_put_reference(self, s, token.part, &out);
            json_array_append_new(argv, json_string(buf_str(&out)));
        }
    } else {
        put_word(self, word, &out);
        json_array_append_new(argv, json_stringn(buf_str(&out), out.len));
    }
    buf_release(&out);
}

static json_t *
make_argv(const struct each *self)
{
    json_t *argv = json_array();

    for (size_t i = 0; i < self->ncommand; i++)
        add_word(self, self->command[i], argv);
    if (each_tokens(self, NULL, NULL) == 0)
        add_word(self, "{}", argv);
    return argv;
}

/* ---- the flow ---- */

/* The command's name as a task's: what else stands in it becomes "_". */
static void
task_name(const struct each *self, char name[48])
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    const char *word = self->command[0];
    size_t len = strcspn(word, " \t\n|&;<>()");
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (word[i] == '/') {
            word += i + 1;
            len -= i + 1;
            i = SIZE_MAX;
        }
    }
    /* Also keeps it apart from the variables' names. */
    if (len == 0 || strchr("0123456789-", word[0]) ||
        strncmp(word, "arg", 3) == 0 || strncmp(word, "seq", 3) == 0)
        name[n++] = '_';
    for (size_t i = 0; i < len && n < 40; i++)
        name[n++] = strchr(good, word[i]) ? word[i] : '_';
    name[n] = '\0';
}

json_t *
each_flow(const struct each *self)
{
    json_t *task = json_object();
    json_t *tasks = json_object();
    char name[48];

    task_name(self, name);
    if (self->shell)
        json_object_set_new(task, "run", each_script(self));
    else
        json_object_set_new(task, "argv", make_argv(self));
    add_each(self, task);
    json_object_set_new(task, "value", json_string("none"));
    json_object_set_new(tasks, name, task);
    return json_pack("{s:i, s:s, s:o}", "leat", 1, "name", "each", "tasks",
                     tasks);
}

/* ---- to be seen only ---- */

static void
show_part(const struct each *self, const struct each_token *token, size_t row,
          struct buf *out)
{
    for (size_t s = each_token_first(token); s <= each_token_last(self, token);
         s++) {
        struct buf part = {0};

        each_put_part(token->part, each_input(self, s, row), row, &part);
        if (s > each_token_first(token))
            buf_char(out, ' ');
        which_quote(out, buf_str(&part));
        buf_release(&part);
    }
}

void
each_show(const struct each *self, size_t row, struct buf *out)
{
    const struct each_token all = {.source = EACH_ALL, .part = EACH_WHOLE};

    for (size_t i = 0; i < self->ncommand; i++) {
        if (i > 0)
            buf_char(out, ' ');
        for (const char *at = self->command[i]; *at;) {
            struct each_token token;

            if (each_token_read(self, at, &token)) {
                show_part(self, &token, row, out);
                at += token.len;
            } else {
                buf_char(out, *at++);
            }
        }
    }
    if (each_tokens(self, NULL, NULL) == 0) {
        buf_char(out, ' ');
        show_part(self, &all, row, out);
    }
    buf_char(out, '\n');
}
