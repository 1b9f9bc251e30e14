/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "base/utf8.h"
#include "flow/value.h"
#include "proto/limits.h"

#define SHOWN    40 /* bytes of a scalar that a message shows */
#define MAX_KEYS 64 /* of all tables of one mapping */

/* ---- what stands there ---- */

static void
show_scalar(const struct reading *self, const struct node *node,
            struct buf *out)
{
    const char *text = yaml_text(&self->yaml, node);
    size_t n = node->len > SHOWN ? utf8_valid(text, SHOWN) : node->len;

    if (n == 0) {
        buf_text(out, node->plain ? "nothing" : "an empty string");
        return;
    }
    buf_text(out, node->plain ? "`" : "`\"");
    buf_add(out, text, n);
    buf_text(out, n < node->len ? "..." : node->plain ? "" : "\"");
    buf_char(out, '`');
}

static void
show(const struct reading *self, const struct node *node, struct buf *out)
{
    if (node->kind == NODE_SCALAR)
        show_scalar(self, node, out);
    else
        buf_printf(out, "%s %s", node->len > 0 ? "a" : "an empty",
                   node->kind == NODE_LIST ? "list" : "mapping");
}

void
read_expected(struct reading *self, const struct node *node, const char *what)
{
    struct buf shown = {0};

    show(self, node, &shown);
    diags_add(self->diags, yaml_place(node), NULL, "expected %s, not %s", what,
              buf_str(&shown));
    buf_release(&shown);
}

bool
read_is_scalar(struct reading *self, const struct node *node, const char *what)
{
    if (node->kind == NODE_SCALAR && (node->len > 0 || !node->plain))
        return true;
    read_expected(self, node, what);
    return false;
}

bool
read_is(const struct reading *self, const struct node *node, const char *word)
{
    size_t n = strlen(word);

    return node->kind == NODE_SCALAR && node->len == n &&
           memcmp(yaml_text(&self->yaml, node), word, n) == 0;
}

/* ---- mappings and lists ---- */

static const struct read_key *
find_key(const struct reading *self, const struct node *key,
         const struct read_table *table)
{
    const char *text = yaml_text(&self->yaml, key);

    for (; table; table = table->more) {
        for (size_t i = 0; i < table->n; i++) {
            if (table->keys[i].len == key->len &&
                memcmp(table->keys[i].name, text, key->len) == 0)
                return &table->keys[i];
        }
    }
    return NULL;
}

static void
refuse_key(struct reading *self, const struct node *key,
           const struct read_table *table)
{
    const char *names[MAX_KEYS];
    struct buf shown = {0};
    const char *what = table->what;
    const char *near;
    char *word = read_copy(self, key);
    size_t n = 0;

    for (; table; table = table->more) {
        for (size_t i = 0; i < table->n && n < MAX_KEYS; i++)
            names[n++] = table->keys[i].name;
    }
    near = names_near(word, names, n);
    show(self, key, &shown);
    diags_add(self->diags, yaml_place(key),
              near ? mem_printf("did you mean `%s`?", near) : NULL,
              "unknown key %s of %s", buf_str(&shown), what);
    buf_release(&shown);
    free(word);
}

struct keys {
    const struct read_table *table;
    void *into;
    uint64_t seen;
};

static void
read_one_key(struct reading *self, const struct node *key,
             const struct node *value, void *into)
{
    struct keys *keys = into;
    const struct read_key *row = find_key(self, key, keys->table);

    if (!row) {
        keys->seen |= READ_UNKNOWN;
        refuse_key(self, key, keys->table);
        return;
    }
    if (row >= keys->table->keys && row < keys->table->keys + keys->table->n)
        keys->seen |= UINT64_C(1) << (row - keys->table->keys);
    row->read(self, value, keys->into);
}

bool
read_keys(struct reading *self, const struct node *map,
          const struct read_table *table, void *into, uint64_t *seen)
{
    struct keys keys = {table, into, 0};
    char *what = mem_printf("the keys of %s", table->what);
    bool ok = read_entries(self, map, what, read_one_key, &keys);

    free(what);
    if (seen)
        *seen = keys.seen;
    return ok;
}

bool
read_entries(struct reading *self, const struct node *map, const char *what,
             read_entry_fn *fn, void *into)
{
    const struct node *value;

    if (map->kind != NODE_MAP) {
        char *wanted = mem_printf("a mapping: %s", what);

        read_expected(self, map, wanted);
        free(wanted);
        return false;
    }
    for (const struct node *key = yaml_first(map); key;
         key = value ? yaml_next(&self->yaml, value) : NULL) {
        value = yaml_next(&self->yaml, key);
        if (value && !key->duplicate)
            fn(self, key, value, into);
    }
    return true;
}

bool
read_items(struct reading *self, const struct node *node, const char *what,
           read_fn *fn, void *into)
{
    if (node->kind == NODE_MAP ||
        (node->kind == NODE_SCALAR && node->plain && node->len == 0)) {
        read_expected(self, node, what);
        return false;
    }
    if (node->kind == NODE_SCALAR) {
        fn(self, node, into);
        return true;
    }
    for (const struct node *item = yaml_first(node); item;
         item = yaml_next(&self->yaml, item))
        fn(self, item, into);
    return true;
}

const struct node *
read_find(const struct reading *self, const struct node *map, const char *key)
{
    const struct node *value;

    if (map->kind != NODE_MAP)
        return NULL;
    for (const struct node *at = yaml_first(map); at;
         at = value ? yaml_next(&self->yaml, value) : NULL) {
        value = yaml_next(&self->yaml, at);
        if (value && read_is(self, at, key))
            return value;
    }
    return NULL;
}

const struct node *
read_only_key(const struct reading *self, const struct node *map,
              const char *key)
{
    const struct node *first;

    if (map->kind != NODE_MAP || map->len != 2)
        return NULL;
    first = yaml_first(map);
    return read_is(self, first, key) ? yaml_next(&self->yaml, first) : NULL;
}

/* ---- scalars ---- */

char *
read_copy(const struct reading *self, const struct node *node)
{
    return mem_text(yaml_text(&self->yaml, node), node->len);
}

bool
read_text(struct reading *self, const struct node *node, const char *what,
          char **ret)
{
    if (!read_is_scalar(self, node, what))
        return false;
    free(*ret);
    *ret = read_copy(self, node);
    return true;
}

bool
read_name(struct reading *self, const struct node *node, const char *what,
          char **ret)
{
    char *name = NULL;

    if (!read_text(self, node, what, &name))
        return false;
    if (!flow_name_is_valid(name)) {
        struct buf shown = {0};

        show(self, node, &shown);
        diags_add(self->diags, yaml_place(node),
                  mem_printf("a letter or _, then letters, digits, _ and -; "
                             "at most %d",
                             LIMIT_NAME_BYTES),
                  "%s can't be %s", buf_str(&shown), what);
        buf_release(&shown);
        free(name);
        return false;
    }
    free(*ret);
    *ret = name;
    return true;
}

bool
read_bool(struct reading *self, const struct node *node, bool *ret)
{
    bool yes = read_is(self, node, "true");

    if (!node->plain || (!yes && !read_is(self, node, "false"))) {
        read_expected(self, node, "true or false");
        return false;
    }
    *ret = yes;
    return true;
}

bool
read_int(struct reading *self, const struct node *node, int64_t min,
         int64_t max, int64_t *ret)
{
    json_int_t number = 0;
    bool ok = false;
    char *what;

    if (node->kind == NODE_SCALAR && node->plain && node->len < SHOWN) {
        char *text = read_copy(self, node);

        ok = text[0] != '+' && value_read_int(text, &number) == 0 &&
             number >= min && number <= max;
        free(text);
    }
    if (ok) {
        *ret = number;
        return true;
    }
    what = mem_printf("a whole number from %" PRId64 " to %" PRId64, min, max);
    read_expected(self, node, what);
    free(what);
    return false;
}

bool
read_float(struct reading *self, const struct node *node, const char *what,
           double *ret)
{
    double number = 0;
    bool ok = false;

    if (node->kind == NODE_SCALAR && node->plain) {
        char *text = read_copy(self, node);

        ok = value_read_float(text, &number) == 0;
        free(text);
    }
    if (!ok) {
        read_expected(self, node, what);
        return false;
    }
    *ret = number;
    return true;
}

bool
read_span(struct reading *self, const struct node *node, int64_t *ret)
{
    static const char what[] = "a length of time such as 90, 10m or 1h 30m";
    char *text = NULL;
    bool ok;

    if (!read_text(self, node, what, &text))
        return false;
    ok = strlen(text) == node->len && span_parse(text, ret) == 0;
    if (!ok)
        read_expected(self, node, what);
    free(text);
    return ok;
}

static char *
list_words(const char *const *words, size_t n)
{
    struct buf list = {0};

    for (size_t i = 0; i < n; i++)
        buf_printf(&list, "%s%s", i == 0 ? "one of " : ", ", words[i]);
    return buf_take(&list);
}

bool
read_choice(struct reading *self, const struct node *node, const char *what,
            const char *const *words, size_t n, size_t *ret)
{
    struct buf shown = {0};
    const char *near;
    char *word;

    if (node->kind != NODE_SCALAR) {
        read_expected(self, node, what);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (read_is(self, node, words[i])) {
            *ret = i;
            return true;
        }
    }
    word = read_copy(self, node);
    near = names_near(word, words, n);
    show(self, node, &shown);
    diags_add(self->diags, yaml_place(node),
              near ? mem_printf("did you mean `%s`?", near)
                   : list_words(words, n),
              "%s is not %s", buf_str(&shown), what);
    buf_release(&shown);
    free(word);
    return false;
}

uint32_t
read_task_name(struct reading *self, const struct node *node, const char *name)
{
    uint32_t number = flow_find_task(self->flow, name);
    const char *near;

    if (number != UINT32_MAX || self->yaml.cut) /* may stand in the rest */
        return number;
    near = flow_near(self->flow, name, FLOW_NAMES_TASKS);
    diags_add(self->diags, yaml_place(node),
              near ? mem_printf("did you mean `%s`?", near) : NULL,
              flow_find_param(self->flow, name) == UINT32_MAX
                  ? "there is no task `%s`"
                  : "`%s` is a parameter, not a task",
              name);
    return UINT32_MAX;
}
