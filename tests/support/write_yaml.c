/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/write_yaml.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "flow/value.h"
#include "tests/support/random_flow.h"

struct writing {
    uint64_t *dice;
    struct buf *out;
};

static void
write_inline(struct writing *self, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY);

    buf_text(self->out, text);
    free(text);
}

static void
write_single_quoted(struct writing *self, const char *text)
{
    buf_char(self->out, '\'');
    for (; *text; text++)
        buf_text(self->out, *text == '\'' ? "''" : (char[]){*text, '\0'});
    buf_char(self->out, '\'');
}

static bool
is_plain(const char *text)
{
    return text[0] >= 'a' && text[0] <= 'z' && strcmp(text, "null") != 0 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") ==
               strlen(text);
}

static void
write_scalar(struct writing *self, const json_t *value)
{
    const char *text = json_string_value(value);

    if (text && is_plain(text) && dice_one_in(self->dice, 2))
        buf_text(self->out, text);
    else if (text && !strchr(text, '\n') && dice_one_in(self->dice, 2))
        write_single_quoted(self, text);
    else
        write_inline(self, value);
}

static void
begin_line(struct writing *self, int depth)
{
    buf_printf(self->out, "\n%*s", 2 * depth, "");
}

static void write_node(struct writing *self, const json_t *value, int depth);

static void
write_list(struct writing *self, const json_t *list, int depth)
{
    size_t i;
    json_t *item;

    json_array_foreach((json_t *)(uintptr_t)list, i, item) {
        begin_line(self, depth);
        buf_text(self->out, "-");
        write_node(self, item, depth + 1);
    }
}

static void
write_mapping(struct writing *self, const json_t *object, int depth)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        begin_line(self, depth);
        if (is_plain(key))
            buf_printf(self->out, "%s:", key);
        else
            buf_printf(self->out, "\"%s\":", key);
        write_node(self, value, depth + 1);
    }
}

/* What stands behind a key or a dash. */
static void
write_node(struct writing *self, const json_t *value, int depth)
{
    bool in_line = depth > 2 && dice_one_in(self->dice, 2);

    if (json_array_size(value) > 0 && !in_line) {
        write_list(self, value, depth);
    } else if (json_object_size(value) > 0 && !in_line) {
        write_mapping(self, value, depth);
    } else {
        buf_char(self->out, ' ');
        write_scalar(self, value);
    }
}

void
write_yaml(const json_t *document, uint64_t *dice, struct buf *out)
{
    struct writing self = {.dice = dice, .out = out};

    if (dice_one_in(dice, 2))
        buf_text(out, "# drawn by dice");
    write_mapping(&self, document, 0);
    buf_char(out, '\n');
}
