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

uint32_t
run_attempts(const struct run *self, struct plan_id id)
{
    uint32_t now = run_attempts_now(self, id);

    return now > 0 ? now : run_attempts_before(self, id);
}

bool
run_is_cancelled(const struct run *self)
{
    return self->cancelled != NULL;
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
        return err_prefix(err, "the flow's output can't be made: ");
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
