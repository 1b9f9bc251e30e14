/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/yaml.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "flow/yaml_bytes.h"
#include "flow/yaml_error.h"
#include "proto/limits.h"

#define FEW_KEYS 12 /* compared with each other without a table */

/* Where libyaml's count of characters is in our bytes. Only moves on. */
struct cursor {
    size_t index; /* in characters */
    size_t at;    /* in bytes */
    size_t line_start;
    uint32_t line; /* from 1 */
};

struct reader {
    struct yaml *tree;
    struct diags *diags;
    yaml_parser_t parser;
    bool ascii; /* bytes and characters are the same */
    struct cursor cursor;
    uint32_t open[LIMIT_DEPTH]; /* lists and mappings not ended yet */
    uint32_t last[LIMIT_DEPTH]; /* their newest items */
    uint32_t depth;
    uint32_t documents;
};

const char *
yaml_text(const struct yaml *self, const struct node *node)
{
    return (node->copied ? buf_str(&self->side) : self->text) + node->text;
}

const struct node *
yaml_first(const struct node *node)
{
    return node->kind != NODE_SCALAR && node->len > 0 ? node + 1 : NULL;
}

const struct node *
yaml_next(const struct yaml *self, const struct node *node)
{
    return node->next > 0 ? &self->nodes[node->next] : NULL;
}

struct flow_place
yaml_place(const struct node *node)
{
    return (struct flow_place){node->line, node->col, node->span};
}

struct flow_place
yaml_place_at(const struct node *node, size_t at, size_t span)
{
    uint32_t quote = node->plain ? 0 : 1;

    if (node->copied)
        return yaml_place(node);
    return (struct flow_place){node->line, node->col + quote + (uint32_t)at,
                               (uint32_t)span};
}

void
yaml_release(struct yaml *self)
{
    free(self->nodes);
    buf_release(&self->side);
    *self = (struct yaml){0};
}

/* ---- places ---- */

static void
advance(struct reader *self, size_t index)
{
    struct cursor *c = &self->cursor;
    const char *text = self->tree->text;
    size_t from = c->at;
    const char *newline;

    if (self->ascii) {
        c->at = index;
    } else {
        for (; c->index < index && c->at < self->tree->len; c->index++) {
            do
                c->at++;
            while (c->at < self->tree->len &&
                   ((unsigned char)text[c->at] & 0xc0) == 0x80);
        }
    }
    if (c->at > self->tree->len)
        c->at = self->tree->len;
    while (from < c->at &&
           (newline = memchr(text + from, '\n', c->at - from))) {
        from = (size_t)(newline - text) + 1;
        c->line_start = from;
        c->line++;
    }
}

static struct flow_place
place_here(const struct reader *self, uint32_t span)
{
    return (struct flow_place){
        self->cursor.line,
        (uint32_t)(self->cursor.at - self->cursor.line_start) + 1, span};
}

/* Marks of errors may lie behind the cursor: count anew, it is done once. */
static struct flow_place
place_of(struct reader *self, size_t index)
{
    self->cursor = (struct cursor){.line = 1};
    advance(self, index);
    return place_here(self, 1);
}

/* ---- building ---- */

static struct node *
parent(const struct reader *self)
{
    return &self->tree->nodes[self->open[self->depth - 1]];
}

/* A key is expected next: every second item of a mapping. */
static bool
is_at_key(const struct reader *self)
{
    return self->depth > 0 && parent(self)->kind == NODE_MAP &&
           parent(self)->len % 2 == 0;
}

static struct node *
add_node(struct reader *self, enum node_kind kind, size_t index)
{
    struct yaml *tree = self->tree;
    uint32_t number = (uint32_t)tree->n;
    struct flow_place place;

    advance(self, index);
    place = place_here(self, 1);
    if (self->depth > 0) {
        uint32_t *last = &self->last[self->depth - 1];

        if (parent(self)->len++ > 0)
            tree->nodes[*last].next = number;
        *last = number;
    }
    tree->nodes =
        mem_grow(tree->nodes, &tree->cap, tree->n + 1, sizeof *tree->nodes);
    tree->nodes[tree->n++] = (struct node){
        .kind = (uint8_t)kind,
        .line = place.line,
        .col = place.col,
        .span = place.span,
        .text = (uint32_t)self->cursor.at,
    };
    return &tree->nodes[number];
}

static int
refuse(struct reader *self, const yaml_event_t *event, const char *what,
       const char *help)
{
    diags_add(self->diags, place_of(self, event->start_mark.index),
              mem_dup(help), "%s", what);
    return -1;
}

static int
refuse_key(struct reader *self, const yaml_event_t *event)
{
    return refuse(self, event, "a key must be a single word", NULL);
}

/* ---- events ---- */

static int
check_extras(struct reader *self, const yaml_event_t *event,
             const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        return refuse(self, event, "anchors are not allowed in a flow file",
                      "write the value again, or make it a parameter; quote a "
                      "string that begins with `&`");
    if (tag)
        return refuse(self, event, "tags are not allowed in a flow file",
                      "leave it out: the key says of what type its value is; "
                      "quote a string that begins with `!`");
    return 0;
}

/* Text that stands in the file byte for byte is not copied. */
static void
set_text(struct reader *self, struct node *node, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    bool quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    size_t start = node->text;
    size_t inside = start + (quoted ? 1 : 0);
    const char *newline;

    node->plain = !quoted;
    node->len = (uint32_t)len;
    advance(self, event->end_mark.index);
    newline = memchr(self->tree->text + start, '\n', self->cursor.at - start);
    node->span = (uint32_t)((newline ? (size_t)(newline - self->tree->text)
                                     : self->cursor.at) -
                            start);
    if (node->span == 0)
        node->span = 1;
    if (inside + len <= self->cursor.at &&
        start + len + (quoted ? 2 : 0) == self->cursor.at &&
        memcmp(self->tree->text + inside, value, len) == 0) {
        node->text = (uint32_t)inside;
        return;
    }
    node->copied = true;
    node->text = (uint32_t)self->tree->side.len;
    buf_add(&self->tree->side, value, len);
}

static int
on_scalar(struct reader *self, const yaml_event_t *event)
{
    bool key = is_at_key(self);
    yaml_scalar_style_t style = event->data.scalar.style;
    struct node *node;

    if (check_extras(self, event, event->data.scalar.anchor,
                     event->data.scalar.tag) < 0)
        return -1;
    if (key && (style == YAML_LITERAL_SCALAR_STYLE ||
                style == YAML_FOLDED_SCALAR_STYLE))
        return refuse_key(self, event);
    if (key && style == YAML_PLAIN_SCALAR_STYLE &&
        strcmp((const char *)event->data.scalar.value, "<<") == 0)
        return refuse(self, event, "merge keys are not allowed in a flow file",
                      "use `defaults` for what all tasks have in common");
    if (event->data.scalar.length > LIMIT_SCALAR_BYTES) {
        diags_add(self->diags, place_of(self, event->start_mark.index),
                  mem_dup("put it into a file and let the task read that"),
                  "this string has %zu bytes; %u are the most",
                  event->data.scalar.length, LIMIT_SCALAR_BYTES);
        return -1;
    }
    if (memchr(event->data.scalar.value, '\0', event->data.scalar.length))
        return refuse(self, event, "a string can't hold a NUL character", NULL);
    node = add_node(self, NODE_SCALAR, event->start_mark.index);
    set_text(self, node, event);
    return 0;
}

static int
on_start(struct reader *self, const yaml_event_t *event, enum node_kind kind)
{
    if (is_at_key(self))
        return refuse_key(self, event);
    if (self->depth >= LIMIT_DEPTH) {
        diags_add(self->diags, place_of(self, event->start_mark.index), NULL,
                  "nested deeper than %d levels", LIMIT_DEPTH);
        return -1;
    }
    add_node(self, kind, event->start_mark.index);
    self->open[self->depth++] = (uint32_t)self->tree->n - 1;
    return 0;
}

static int
on_list_start(struct reader *self, const yaml_event_t *event)
{
    if (check_extras(self, event, event->data.sequence_start.anchor,
                     event->data.sequence_start.tag) < 0)
        return -1;
    return on_start(self, event, NODE_LIST);
}

static int
on_map_start(struct reader *self, const yaml_event_t *event)
{
    if (check_extras(self, event, event->data.mapping_start.anchor,
                     event->data.mapping_start.tag) < 0)
        return -1;
    return on_start(self, event, NODE_MAP);
}

static bool
is_same(const struct yaml *tree, const struct node *a, const struct node *b)
{
    return a->len == b->len &&
           memcmp(yaml_text(tree, a), yaml_text(tree, b), a->len) == 0;
}

static void
add_duplicate(struct reader *self, const struct node *first, struct node *key)
{
    struct buf name = {0};

    key->duplicate = true;
    utf8_escape(&name, yaml_text(self->tree, key),
                key->len > LIMIT_NAME_BYTES ? LIMIT_NAME_BYTES : key->len);
    diags_add(self->diags, yaml_place(key), NULL,
              "key `%s` is there twice: first in line %u, column %u",
              buf_str(&name), first->line, first->col);
    buf_release(&name);
}

static struct node *
next_key(struct yaml *tree, struct node *key)
{
    const struct node *value = &tree->nodes[key->next];

    return value->next > 0 ? &tree->nodes[value->next] : NULL;
}

static const struct node *
find_same(const struct yaml *tree, struct node *const *keys, size_t n,
          const struct node *key)
{
    for (size_t i = 0; i < n; i++) {
        if (is_same(tree, keys[i], key))
            return keys[i];
    }
    return NULL;
}

static void
compare_few(struct reader *self, struct node *const *keys, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const struct node *first = find_same(self->tree, keys, i, keys[i]);

        if (first)
            add_duplicate(self, first, keys[i]);
    }
}

/* FNV-1: numbered names are neighbours in the table. */
static uint32_t
hash_text(const char *text, size_t len)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < len; i++)
        h = h * 16777619u ^ (unsigned char)text[i];
    return h;
}

/* A table of its own: the keys have no NUL behind them. */
static void
compare_many(struct reader *self, struct node *first, size_t n)
{
    struct yaml *tree = self->tree;
    struct node **table;
    size_t size = 16;

    while (size < 2 * n)
        size *= 2;
    table = mem_alloc(size, sizeof(void *));
    for (struct node *key = first; key; key = next_key(tree, key)) {
        size_t i = hash_text(yaml_text(tree, key), key->len) & (size - 1);

        while (table[i] && !is_same(tree, table[i], key))
            i = (i + 1) & (size - 1);
        if (table[i])
            add_duplicate(self, table[i], key);
        else
            table[i] = key;
    }
    free(table);
}

static void
check_keys(struct reader *self, struct node *map)
{
    struct node *few[FEW_KEYS];
    size_t n = map->len / 2;

    if (n > FEW_KEYS) {
        compare_many(self, map + 1, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        few[i] = i == 0 ? map + 1 : next_key(self->tree, few[i - 1]);
    compare_few(self, few, n);
}

static int
on_end(struct reader *self, const yaml_event_t *event)
{
    struct node *node = parent(self);

    (void)event;
    if (node->kind == NODE_MAP)
        check_keys(self, node);
    self->depth--;
    return 0;
}

static int
on_alias(struct reader *self, const yaml_event_t *event)
{
    return refuse(self, event, "aliases are not allowed in a flow file",
                  "write the value again, or make it a parameter; quote a "
                  "string that begins with `*`");
}

static int
on_document(struct reader *self, const yaml_event_t *event)
{
    if (event->data.document_start.version_directive ||
        event->data.document_start.tag_directives.start !=
            event->data.document_start.tag_directives.end)
        return refuse(self, event, "directives are not allowed in a flow file",
                      "leave out the line that begins with `%`");
    if (self->documents++ > 0)
        return refuse(self, event,
                      "a flow file is one document; this is a "
                      "second one",
                      "make it a file of its own");
    return 0;
}

static int
on_nothing(struct reader *self, const yaml_event_t *event)
{
    (void)self;
    (void)event;
    return 0;
}

static int
on_event(struct reader *self, const yaml_event_t *event)
{
    static int (*const handlers[])(struct reader *, const yaml_event_t *) = {
        [YAML_NO_EVENT] = on_nothing,
        [YAML_STREAM_START_EVENT] = on_nothing,
        [YAML_STREAM_END_EVENT] = on_nothing,
        [YAML_DOCUMENT_START_EVENT] = on_document,
        [YAML_DOCUMENT_END_EVENT] = on_nothing,
        [YAML_ALIAS_EVENT] = on_alias,
        [YAML_SCALAR_EVENT] = on_scalar,
        [YAML_SEQUENCE_START_EVENT] = on_list_start,
        [YAML_SEQUENCE_END_EVENT] = on_end,
        [YAML_MAPPING_START_EVENT] = on_map_start,
        [YAML_MAPPING_END_EVENT] = on_end,
    };

    return handlers[event->type](self, event);
}

/* What was open when the error came ends there; a key without a value goes. */
static void
cut(struct reader *self)
{
    struct yaml *tree = self->tree;

    tree->cut = true;
    for (; self->depth > 0; self->depth--) {
        struct node *node = parent(self);

        node->cut = true;
        if (node->kind == NODE_MAP && node->len % 2 == 1) {
            struct node *last = &tree->nodes[self->last[self->depth - 1]];

            node->len--;
            last->duplicate = true;
        }
        if (node->kind == NODE_MAP)
            check_keys(self, node);
    }
}

/* libyaml has no words of its own for most tabs. */
static bool
is_tab(const struct reader *self)
{
    return self->cursor.at < self->tree->len &&
           self->tree->text[self->cursor.at] == '\t';
}

static void
read_events(struct reader *self)
{
    bool more = true;

    while (more) {
        yaml_event_t event;

        if (!yaml_parser_parse(&self->parser, &event)) {
            size_t index;
            const char *help;
            const char *what = yaml_error(&self->parser, &index, &help);

            struct flow_place place = place_of(self, index);

            if (is_tab(self))
                what = yaml_error_tab(&help);
            diags_add(self->diags, place, mem_dup(help), "%s", what);
            cut(self);
            return;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        if (on_event(self, &event) < 0) {
            cut(self);
            more = false;
        }
        yaml_event_delete(&event);
    }
}

bool
yaml_read(struct yaml *self, const char *text, size_t len, struct diags *diags)
{
    struct reader reader = {.tree = self, .diags = diags};
    int rc;

    *self = (struct yaml){.text = text, .len = len};
    reader.cursor.line = 1;
    if (!yaml_check_bytes(text, len, &reader.ascii, diags))
        return false;
    rc = yaml_parser_initialize(&reader.parser);
    assert(rc); /* fails for want of memory only */
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text,
                                 len);
    read_events(&reader);
    yaml_parser_delete(&reader.parser);
    return self->n > 0;
}
