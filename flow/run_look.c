/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "flow/run.h"
#include "flow/run_impl.h"

const struct flow *
run_flow(const struct run *self)
{
    return self->flow;
}

const struct plan *
run_plan(const struct run *self)
{
    return self->plan;
}

const json_t *
run_params(const struct run *self)
{
    return self->params;
}

bool
run_is_success(const struct run *self)
{
    size_t nedge = 0;
    struct plan_edge *edges = NULL;
    bool *decides = mem_alloc(self->flow->ntask, sizeof *decides);
    bool success = true;

    for (size_t t = 0; t < self->flow->ntask; t++)
        decides[t] = self->flow->nreference == 0;
    for (size_t i = 0; i < self->flow->nreference; i++)
        decides[self->flow->reference[i]] = true;
    if (self->flow->nreference == 0) {
        edges = flow_edges(self->flow, &nedge);
        for (size_t i = 0; i < nedge; i++)
            decides[edges[i].from] = false;
    }
    for (size_t t = 0; t < self->flow->ntask; t++) {
        if (decides[t] && !plan_task_is_success(self->plan, (uint32_t)t))
            success = false;
    }
    free(edges);
    free(decides);
    return success;
}

int
run_output(struct run *self, json_t **ret, struct err *err)
{
    struct plan_id none = {0, PLAN_WHOLE};

    if (!self->flow->output || !run_is_success(self)) {
        *ret = json_null();
        return 0;
    }
    if (run_eval(self, none, self->flow->output, ret, err) < 0)
        return err_prefix(err, "output: ");
    return 0;
}

/* ---- names ---- */

static bool
is_plain_key(const char *text, size_t n)
{
    if (n == 0 || n > LIMIT_KEY_BYTES || text[0] == '#' ||
        utf8_valid(text, n) != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f ||
            text[i] == ',' || text[i] == '[' || text[i] == ']')
            return false;
    }
    return true;
}

/* The values of a child's keys with commas; false if they make no name. */
static bool
add_key(const struct run *self, struct plan_id id, struct buf *out)
{
    uint32_t nkey = self->flow->tasks[id.task].neach;
    size_t begin = out->len;
    bool plain = nkey > 0;

    for (uint32_t i = 0; i < nkey && plain; i++) {
        json_t *value = run_each_value(self, id.task, i, id.child);
        size_t at;

        if (i > 0)
            buf_char(out, ',');
        at = out->len;
        plain = !json_is_array(value) && !json_is_object(value);
        if (plain)
            value_text(value, out);
        plain = plain && is_plain_key(buf_str(out) + at, out->len - at);
        json_decref(value);
    }
    return plain && out->len - begin <= LIMIT_KEY_BYTES;
}

bool
run_key(const struct run *self, struct plan_id id, struct buf *out)
{
    size_t begin = out->len;

    if (id.child == PLAN_WHOLE || !self->tasks[id.task].map)
        return false;
    if (add_key(self, id, out))
        return true;
    out->len = begin;
    if (out->data)
        out->data[begin] = '\0';
    return false;
}

void
run_name(const struct run *self, struct plan_id id, struct buf *out)
{
    buf_text(out, self->flow->tasks[id.task].name);
    if (id.child == PLAN_WHOLE)
        return;
    buf_char(out, '[');
    if (!run_key(self, id, out))
        buf_printf(out, "#%u", id.child);
    buf_char(out, ']');
}

static int
find_child(const struct run *self, struct plan_id *id, const char *key,
           size_t len, struct err *err)
{
    uint32_t n = plan_children(self->plan, id->task);
    struct buf name = {0};
    char *end = NULL;

    if (key[0] == '#') {
        unsigned long k = strtoul(key + 1, &end, 10);

        if (end == key + len && len > 1 && k < n) {
            id->child = (uint32_t)k;
            return 0;
        }
    }
    for (uint32_t k = 0; k < n; k++) {
        struct plan_id child = {id->task, k};
        bool found;

        buf_clear(&name);
        found = add_key(self, child, &name) && name.len == len &&
                memcmp(buf_str(&name), key, len) == 0;
        if (found) {
            buf_release(&name);
            *id = child;
            return 0;
        }
    }
    buf_release(&name);
    return err_set(err, ERR_NOT_FOUND,
                   "`%s` has %u children, but none is [%.*s]; [#0] is the "
                   "first by number",
                   self->flow->tasks[id->task].name, n, (int)len, key);
}

int
run_find(const struct run *self, const char *name, struct plan_id *ret,
         struct err *err)
{
    const char *bracket = strchr(name, '[');
    size_t n = strlen(name);
    char *task = mem_text(name, bracket ? (size_t)(bracket - name) : n);
    struct plan_id id = {flow_find_task(self->flow, task), PLAN_WHOLE};
    int rc = 0;

    if (id.task == UINT32_MAX)
        rc = err_set(err, ERR_NOT_FOUND, "flow `%s` has no task `%s`",
                     self->flow->name, task);
    else if (bracket && name[n - 1] != ']')
        rc = err_set(err, ERR_NOT_FOUND, "`%s`: the ] is missing", name);
    else if (bracket)
        rc = find_child(self, &id, bracket + 1,
                        n - (size_t)(bracket - name) - 2, err);
    free(task);
    if (rc == 0)
        *ret = id;
    return rc;
}
