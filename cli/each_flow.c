/* SPDX-License-Identifier: MPL-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/each.h"
#include "cli/which.h"

/* ---- what stands for inputs in the command ---- */

#define ALL_SOURCES SIZE_MAX

struct token {
    size_t source; /* or ALL_SOURCES */
    enum each_part part;
    size_t len; /* of its text */
};

static const char *const part_texts[EACH_PART_COUNT] = {
    [EACH_WHOLE] = "",    [EACH_NO_ENDING] = ".", [EACH_BASE] = "/",
    [EACH_FOLDER] = "//", [EACH_STEM] = "/.",     [EACH_NUMBER] = "#",
};

/* Is there a token at the start of text? */
static bool
read_token(const struct each *self, const char *text, struct token *ret)
{
    size_t digits, n;
    unsigned long source;

    if (text[0] != '{')
        return false;
    digits = strspn(text + 1, "0123456789");
    source = digits > 0 && digits < 5 ? strtoul(text + 1, NULL, 10) : 0;
    if (digits > 0 && (source == 0 || source > self->nsource))
        return false;
    for (int part = 0; part < EACH_PART_COUNT; part++) {
        n = strlen(part_texts[part]);
        if (strncmp(text + 1 + digits, part_texts[part], n) != 0 ||
            text[1 + digits + n] != '}')
            continue;
        if (part == EACH_NUMBER && digits > 0)
            return false;
        *ret = (struct token){digits > 0 ? source - 1 : ALL_SOURCES,
                              (enum each_part)part, digits + n + 2};
        return true;
    }
    return false;
}

/* The bounds of the sources that a token stands for. */
static size_t
first_of(const struct token *token)
{
    return token->source == ALL_SOURCES ? 0 : token->source;
}

static size_t
last_of(const struct each *self, const struct token *token)
{
    if (token->part == EACH_NUMBER)
        return 0;
    return token->source == ALL_SOURCES ? self->nsource - 1 : token->source;
}

/* What a use of the command is made of; fn hears of each token. */
typedef void token_fn(void *ctx, const struct token *token);

static size_t
each_token(const struct each *self, token_fn *fn, void *ctx)
{
    size_t n = 0;

    for (size_t i = 0; i < self->ncommand; i++) {
        for (const char *at = self->command[i]; *at; at++) {
            struct token token;

            if (!read_token(self, at, &token))
                continue;
            n++;
            at += token.len - 1;
            if (fn)
                fn(ctx, &token);
        }
    }
    return n;
}

/* ---- keys: the variables that carry inputs ---- */

struct keys {
    const struct each *each;
    bool used[EACH_SOURCES][EACH_PART_COUNT];
    bool only_whole; /* nothing is cut or counted */
};

static void
key_name(const struct each *each, size_t source, enum each_part part,
         char name[32])
{
    static const char *const endings[EACH_PART_COUNT] = {
        [EACH_WHOLE] = "",     [EACH_NO_ENDING] = "_noext",
        [EACH_BASE] = "_base", [EACH_FOLDER] = "_dir",
        [EACH_STEM] = "_stem", [EACH_NUMBER] = "",
    };

    if (part == EACH_NUMBER)
        (void)snprintf(name, 32, "seq");
    else if (each->nsource == 1)
        (void)snprintf(name, 32, "arg%s", endings[part]);
    else
        (void)snprintf(name, 32, "arg%zu%s", source + 1, endings[part]);
}

static void
use_key(void *ctx, const struct token *token)
{
    struct keys *self = ctx;

    for (size_t s = first_of(token); s <= last_of(self->each, token); s++)
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
    char name[32];

    (void)each_token(self, use_key, &keys);
    product = keys.only_whole && !is_linked(self);
    for (size_t s = 0; s < self->nsource; s++) {
        key_name(self, s, EACH_WHOLE, name);
        json_object_set_new(each, name,
                            product ? item_list(&self->sources[s])
                                    : row_list(self, s, EACH_WHOLE));
    }
    for (size_t s = 0; s < self->nsource; s++) {
        for (int part = EACH_WHOLE + 1; part < EACH_PART_COUNT; part++) {
            if (!keys.used[s][part])
                continue;
            key_name(self, s, (enum each_part)part, name);
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
put_reference(const struct each *self, size_t source, enum each_part part,
              struct buf *out)
{
    char name[32];

    key_name(self, source, part, name);
    buf_printf(out, "${%s}", name);
}

static void
put_word(const struct each *self, const char *word, struct buf *out)
{
    while (*word) {
        struct token token;

        if (!read_token(self, word, &token)) {
            if (*word == '$')
                buf_char(out, '$');
            buf_char(out, *word++);
            continue;
        }
        for (size_t s = first_of(&token); s <= last_of(self, &token); s++) {
            if (s > first_of(&token))
                buf_char(out, ' ');
            put_reference(self, s, token.part, out);
        }
        word += token.len;
    }
}

/* A word that is nothing but {} becomes one for each source. */
static void
add_word(const struct each *self, const char *word, json_t *argv)
{
    struct buf out = {0};
    struct token token;

    if (read_token(self, word, &token) && word[token.len] == '\0') {
        for (size_t s = first_of(&token); s <= last_of(self, &token); s++) {
            buf_clear(&out);
            put_reference(self, s, token.part, &out);
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
    if (each_token(self, NULL, NULL) == 0)
        add_word(self, "{}", argv);
    return argv;
}

/* ---- with a shell ---- */

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
put_variable(const struct each *self, const struct token *token,
             enum quoting quoting, struct buf *out)
{
    static const char *const before[] = {"\"", "", "'\""};
    static const char *const behind[] = {"\"", "", "\"'"};

    for (size_t s = first_of(token); s <= last_of(self, token); s++) {
        if (s > first_of(token))
            buf_char(out, ' ');
        buf_text(out, before[quoting]);
        put_reference(self, s, token->part, out);
        buf_text(out, behind[quoting]);
    }
}

/* Inputs stay out of the code: it names variables that hold them. */
static json_t *
make_script(const struct each *self)
{
    const struct token all = {.source = ALL_SOURCES, .part = EACH_WHOLE};
    const char *at = self->command[0];
    struct scan scan = {0};
    struct buf out = {0};
    json_t *json;

    while (*at) {
        struct token token;
        size_t n;

        if (read_token(self, at, &token)) {
            put_variable(self, &token, *top(&scan), &out);
            at += token.len;
            continue;
        }
        n = step(&scan, at);
        buf_add(&out, at, n);
        at += n;
    }
    if (each_token(self, NULL, NULL) == 0) {
        buf_char(&out, ' ');
        put_variable(self, &all, BARE, &out);
    }
    json = json_stringn(buf_str(&out), out.len);
    buf_release(&out);
    return json;
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
        json_object_set_new(task, "run", make_script(self));
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
show_part(const struct each *self, const struct token *token, size_t row,
          struct buf *out)
{
    for (size_t s = first_of(token); s <= last_of(self, token); s++) {
        struct buf part = {0};

        each_put_part(token->part, each_input(self, s, row), row, &part);
        if (s > first_of(token))
            buf_char(out, ' ');
        which_quote(out, buf_str(&part));
        buf_release(&part);
    }
}

void
each_show(const struct each *self, size_t row, struct buf *out)
{
    const struct token all = {.source = ALL_SOURCES, .part = EACH_WHOLE};

    for (size_t i = 0; i < self->ncommand; i++) {
        if (i > 0)
            buf_char(out, ' ');
        for (const char *at = self->command[i]; *at;) {
            struct token token;

            if (read_token(self, at, &token)) {
                show_part(self, &token, row, out);
                at += token.len;
            } else {
                buf_char(out, *at++);
            }
        }
    }
    if (each_token(self, NULL, NULL) == 0) {
        buf_char(out, ' ');
        show_part(self, &all, row, out);
    }
    buf_char(out, '\n');
}
