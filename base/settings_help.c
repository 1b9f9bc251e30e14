/* SPDX-License-Identifier: MPL-2.0 */
#include <string.h>
#include <unistd.h>

#include "base/settings_inner.h"
#include "base/utf8.h"

#define COLUMN 26 /* where what an option does is told */
#define WIDTH  80 /* of a terminal */

/* To the column where that is told, on a line of its own if need be. */
static void
pad(struct buf *out, size_t from)
{
    if (out->len - from > COLUMN - 2) {
        buf_char(out, '\n');
        from = out->len;
    }
    while (out->len - from < COLUMN)
        buf_char(out, ' ');
}

/* Words to the width of the terminal, from that column. */
static void
add_words(struct buf *out, const char *text)
{
    size_t at = COLUMN;

    while (*text) {
        size_t n = strcspn(text, " ");

        if (at > COLUMN && at + 1 + n >= WIDTH) {
            buf_char(out, '\n');
            pad(out, out->len);
            at = COLUMN;
        } else if (at > COLUMN) {
            buf_char(out, ' ');
            at++;
        }
        buf_add(out, text, n);
        at += n;
        text += n + strspn(text + n, " ");
    }
    buf_char(out, '\n');
}

static void
add_option(struct buf *out, char letter, const char *name, const char *value,
           const char *help)
{
    size_t from = out->len;

    if (letter)
        buf_printf(out, "  -%c, --%s", letter, name);
    else
        buf_printf(out, "      --%s", name);
    if (value)
        buf_printf(out, " %s", value);
    pad(out, from);
    add_words(out, help);
}

static void
add_origin(const struct settings *self, size_t i, struct buf *out)
{
    const struct value *value = &self->values[i];

    if (value->from == FROM_FALLBACK)
        buf_text(out, "the default");
    else if (value->from == FROM_FLAG)
        buf_printf(out, "from --%s", self->table[i].name);
    else if (value->from == FROM_ENV)
        buf_printf(out, "from %s", self->table[i].env);
    else
        buf_printf(out, "from %s:%d", self->file, value->line);
}

static void
add_in_force(const struct settings *self, size_t i, struct buf *out)
{
    const struct value *value = &self->values[i];
    const char *text = value->text;

    if (value->from == FROM_NOWHERE)
        return;
    pad(out, out->len);
    buf_text(out, "now ");
    if (self->table[i].kind != SETTING_LIST)
        utf8_escape(out, text, strlen(text));
    for (size_t j = 0; j < value->n; j++) {
        if (j > 0)
            buf_text(out, ", ");
        utf8_escape(out, value->list[j], strlen(value->list[j]));
    }
    buf_text(out, " (");
    add_origin(self, i, out);
    buf_text(out, ")\n");
}

void
settings_help(const struct settings *self, struct buf *out)
{
    bool any = false;

    buf_text(out, "Options:\n");
    for (size_t i = 0; i < self->n; i++) {
        const struct setting *setting = &self->table[i];

        add_option(out, setting->letter, setting->name, setting->value,
                   setting->help);
        add_in_force(self, i, out);
    }
    add_option(out, 0, "config", "FILE", "read settings from this file");
    if (self->file) {
        pad(out, out->len);
        buf_printf(out, "now %s%s\n", self->file,
                   access(self->file, F_OK) == 0 ? "" : " (not there)");
    }
    add_option(out, 0, "version", NULL, "print the version");
    add_option(out, 'h', "help", NULL, "show this help");
    buf_text(out, "\nThe file has lines of the form name: value, named as the "
                  "long options.\n");
    for (size_t i = 0; i < self->n; i++) {
        if (!self->table[i].env)
            continue;
        if (!any)
            buf_text(out, "Environment, which the file gives way to:\n");
        any = true;
        buf_printf(out, "  %-24s  --%s\n", self->table[i].env,
                   self->table[i].name);
    }
}
