/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "proto/limits.h"

#define SHOWN_LINE   100 /* bytes of a source line */
#define SHOWN_BEFORE 40  /* of them before the caret, if it has to be cut */

static const char *const plain[] = {"", "", "", ""};
static const char *const coloured[] = {"\033[0m", "\033[1m", "\033[1;31m",
                                       "\033[36m"};

enum colour { OFF, PLACE, CARET, HELP };

void
diags_release(struct diags *self)
{
    for (size_t i = 0; i < self->n; i++) {
        free(self->list[i].text);
        free(self->list[i].help);
    }
    free(self->list);
    *self = (struct diags){0};
}

void
diags_add(struct diags *self, struct flow_place place, char *help,
          const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    int n;

    if (self->n >= LIMIT_ERRORS) {
        self->dropped++;
        free(help);
        return;
    }
    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        text = mem_dup(fmt);
    self->list =
        mem_grow(self->list, &self->cap, self->n + 1, sizeof *self->list);
    self->list[self->n++] = (struct diag){place, text, help};
}

static bool
is_before(struct flow_place a, struct flow_place b)
{
    return a.line != b.line ? a.line < b.line : a.col < b.col;
}

/* Few, nearly sorted, and equal places keep their order. */
static void
sort(struct diags *self)
{
    for (size_t i = 1; i < self->n; i++) {
        struct diag moving = self->list[i];
        size_t at = i;

        for (; at > 0 && is_before(moving.place, self->list[at - 1].place);
             at--)
            self->list[at] = self->list[at - 1];
        self->list[at] = moving;
    }
}

/* ---- the source line ---- */

/* Walks through the text once, as errors come sorted. */
struct cursor {
    const char *text;
    const char *end;
    uint32_t line;
};

static size_t
find_line(struct cursor *self, uint32_t line)
{
    const char *stop;
    size_t n;

    while (self->line < line) {
        stop = memchr(self->text, '\n', (size_t)(self->end - self->text));
        if (!stop)
            return 0;
        self->text = stop + 1;
        self->line++;
    }
    stop = memchr(self->text, '\n', (size_t)(self->end - self->text));
    n = (size_t)((stop ? stop : self->end) - self->text);
    return n > 0 && self->text[n - 1] == '\r' ? n - 1 : n;
}

static size_t
to_character(const char *text, size_t at)
{
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    return at;
}

/* As wide as n bytes of the source as they are shown, tabs kept. */
static void
add_padding(struct buf *out, const char *text, size_t n)
{
    struct buf shown = {0};

    utf8_escape(&shown, text, n);
    for (size_t i = 0; i < shown.len;) {
        size_t run = strcspn(shown.data + i, "\t");

        buf_printf(out, "%*s", (int)utf8_width(shown.data + i, run), "");
        i += run;
        if (i < shown.len)
            buf_char(out, shown.data[i++]);
    }
    buf_release(&shown);
}

static size_t
shown_width(const char *text, size_t n)
{
    struct buf shown = {0};
    size_t width;

    utf8_escape(&shown, text, n);
    width = utf8_width(buf_str(&shown), shown.len);
    buf_release(&shown);
    return width;
}

static void
add_source(const char *line, size_t len, const struct diag *diag,
           const char *const *colours, struct buf *out)
{
    size_t at = diag->place.col > 0 ? diag->place.col - 1 : 0;
    size_t from = 0, to = len, span;

    if (at > len)
        at = len;
    if (len > SHOWN_LINE) {
        if (at > SHOWN_BEFORE)
            from = to_character(line, at - SHOWN_BEFORE);
        if (to - from > SHOWN_LINE)
            to = to_character(line, from + SHOWN_LINE);
    }
    span = diag->place.span > to - at ? to - at : diag->place.span;
    buf_printf(out, "%5u | %s", diag->place.line, from > 0 ? "..." : "");
    utf8_escape(out, line + from, to - from);
    buf_printf(out, "%s\n      | %s", to < len ? "..." : "",
               from > 0 ? "   " : "");
    add_padding(out, line + from, at - from);
    buf_printf(out, "%s^", colours[CARET]);
    for (size_t i = shown_width(line + at, span); i > 1; i--)
        buf_char(out, '~');
    buf_printf(out, "%s\n", colours[OFF]);
}

static void
print_one(const struct diags *self, const struct diag *diag,
          struct cursor *cursor, const char *const *colours, struct buf *out)
{
    buf_text(out, colours[PLACE]);
    if (self->file)
        utf8_escape(out, self->file, strlen(self->file));
    if (self->file && diag->place.line > 0)
        buf_printf(out, ":%u:%u", diag->place.line, diag->place.col);
    buf_printf(out, "%s%s", self->file ? ": " : "", colours[OFF]);
    utf8_escape(out, diag->text, strlen(diag->text));
    buf_char(out, '\n');
    if (self->text && diag->place.line > 0) {
        size_t len = find_line(cursor, diag->place.line);

        add_source(cursor->text, len, diag, colours, out);
    }
    if (diag->help) {
        buf_printf(out, "%shelp:%s ", colours[HELP], colours[OFF]);
        utf8_escape(out, diag->help, strlen(diag->help));
        buf_char(out, '\n');
    }
}

void
diags_print(struct diags *self, struct buf *out, bool colour)
{
    const char *text = self->text ? self->text : "";
    struct cursor cursor = {text, text + self->len, 1};

    sort(self);
    for (size_t i = 0; i < self->n; i++)
        print_one(self, &self->list[i], &cursor, colour ? coloured : plain,
                  out);
    if (self->dropped > 0)
        buf_printf(out, "%zu errors, and %zu more that are not shown\n",
                   self->n, self->dropped);
    else if (self->n > 1)
        buf_printf(out, "%zu errors\n", self->n);
}
