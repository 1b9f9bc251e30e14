/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/each.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "cli/file.h"
#include "proto/limits.h"

enum separator { NOT_ONE, ITEMS, ITEMS_LINKED, FILES, FILES_LINKED };

static enum separator
separator_of(const char *word)
{
    static const char *const texts[] = {
        [ITEMS] = ":::",
        [ITEMS_LINKED] = ":::+",
        [FILES] = "::::",
        [FILES_LINKED] = "::::+",
    };

    for (int i = ITEMS; i <= FILES_LINKED; i++) {
        if (strcmp(word, texts[i]) == 0)
            return (enum separator)i;
    }
    return NOT_ONE;
}

/* One word that only a shell can make sense of. */
static bool
needs_shell(const struct each *self)
{
    return self->ncommand == 1 &&
           strpbrk(self->command[0], " \t\n|&;<>()$`\\\"'*?[]#~=!") != NULL;
}

/* ---- inputs ---- */

static int
add_item(struct each_source *source, const char *text, size_t n,
         struct err *err)
{
    if (utf8_valid(text, n) < n) {
        struct buf shown = {0};

        utf8_escape(&shown, text, n);
        (void)err_set(err, ERR_INVALID, "the input %s is not UTF-8 text",
                      buf_str(&shown));
        buf_release(&shown);
        return -1;
    }
    source->items = mem_grow(source->items, &source->cap, source->n + 1,
                             sizeof *source->items);
    source->items[source->n++] = mem_text(text, n);
    return 0;
}

static int
add_file(struct each_source *source, const char *name, char end,
         struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    int rc = file_read(name, &text, &len, err);

    for (size_t at = 0; rc == 0 && at < len;) {
        const char *stop = memchr(text + at, end, len - at);
        size_t n = stop ? (size_t)(stop - text) - at : len - at;

        rc = add_item(source, text + at, n, err);
        at += n + 1;
    }
    free(text);
    return rc;
}

static int
add_source(struct each *self, bool linked, struct err *err)
{
    if (self->nsource == EACH_SOURCES)
        return err_set(err, ERR_INVALID, "there may be %d sources of inputs",
                       EACH_SOURCES);
    if (linked && self->nsource == 0)
        return err_set(err, ERR_INVALID,
                       "the first source can't be linked to one before it");
    self->sources[self->nsource++].linked = linked;
    return 0;
}

static int
read_sources(struct each *self, char **words, size_t nword, char end,
             struct err *err)
{
    bool files = false;

    for (size_t i = 0; i < nword; i++) {
        enum separator separator = separator_of(words[i]);
        struct each_source *source;

        if (separator != NOT_ONE) {
            files = separator == FILES || separator == FILES_LINKED;
            if (add_source(self,
                           separator == ITEMS_LINKED ||
                               separator == FILES_LINKED,
                           err) < 0)
                return -1;
            continue;
        }
        source = &self->sources[self->nsource - 1];
        if (files ? add_file(source, words[i], end, err) < 0
                  : add_item(source, words[i], strlen(words[i]), err) < 0)
            return -1;
    }
    if (self->nsource > 0)
        return 0;
    (void)add_source(self, false, err);
    return add_file(&self->sources[0], "-", end, err);
}

static int
count_rows(struct each *self, struct err *err)
{
    self->nrow = 1;
    for (size_t i = 0; i < self->nsource; i++) {
        const struct each_source *source = &self->sources[i];

        if (source->linked && source->n != source[-1].n)
            return err_set(err, ERR_INVALID,
                           "source %zu has %zu inputs, but the one it is "
                           "linked to has %zu",
                           i + 1, source->n, source[-1].n);
        if (source->linked)
            continue;
        if (source->n > 0 && self->nrow > LIMIT_CHILDREN / source->n)
            return err_set(err, ERR_LIMIT,
                           "these are more than %u combinations",
                           LIMIT_CHILDREN);
        self->nrow *= source->n;
    }
    return 0;
}

int
each_read(struct each *self, char **words, size_t nword, char end,
          struct err *err)
{
    while (self->ncommand < nword &&
           separator_of(words[self->ncommand]) == NOT_ONE)
        self->ncommand++;
    if (self->ncommand == 0)
        return err_set(err, ERR_INVALID, "there is no command before %s",
                       words[0]);
    self->command = words;
    self->shell = needs_shell(self);
    for (size_t i = 0; i < self->ncommand; i++) {
        if (utf8_valid(words[i], strlen(words[i])) < strlen(words[i]))
            return err_set(err, ERR_INVALID, "the command is not UTF-8 text");
    }
    if (read_sources(self, words + self->ncommand, nword - self->ncommand, end,
                     err) < 0)
        return -1;
    return count_rows(self, err);
}

void
each_release(struct each *self)
{
    for (size_t i = 0; i < self->nsource; i++) {
        for (size_t k = 0; k < self->sources[i].n; k++)
            free(self->sources[i].items[k]);
        free(self->sources[i].items);
    }
    *self = (struct each){0};
}

/* ---- rows ---- */

/* The source's group is it with all that are linked to it. */
static size_t
group_of(const struct each *self, size_t source)
{
    while (self->sources[source].linked)
        source--;
    return source;
}

const char *
each_input(const struct each *self, size_t source, size_t row)
{
    size_t group = group_of(self, source);
    size_t after = 1; /* rows before the group's input changes */

    for (size_t i = group + 1; i < self->nsource; i++) {
        if (!self->sources[i].linked)
            after *= self->sources[i].n;
    }
    return self->sources[source].items[row / after % self->sources[group].n];
}

/* The input up to its ending, if its last part has one: as {.}. */
static size_t
without_ending(const char *input)
{
    const char *slash = strrchr(input, '/');
    const char *dot = strrchr(input, '.');

    if (!dot || (slash && dot < slash))
        return strlen(input);
    return (size_t)(dot - input);
}

void
each_put_part(enum each_part part, const char *input, size_t row,
              struct buf *out)
{
    const char *slash = strrchr(input, '/');
    const char *base = slash ? slash + 1 : input;

    switch (part) {
    case EACH_NO_ENDING:
        buf_add(out, input, without_ending(input));
        break;
    case EACH_BASE:
        buf_text(out, base);
        break;
    case EACH_FOLDER:
        if (slash == input)
            buf_char(out, '/');
        else if (slash)
            buf_add(out, input, (size_t)(slash - input));
        else
            buf_char(out, '.');
        break;
    case EACH_STEM:
        buf_add(out, base, without_ending(base));
        break;
    case EACH_NUMBER:
        buf_printf(out, "%zu", row + 1);
        break;
    case EACH_WHOLE:
    case EACH_PART_COUNT:
        buf_text(out, input);
        break;
    }
}
