/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/api.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "proto/limits.h"

static_assert((int)LEAT_ERR_SYSTEM == ERR_SYSTEM, "leat_err_code");

/* ---- life ---- */

leat_flow *
leat_flow_new(const char *name)
{
    leat_flow *self = mem_alloc(1, sizeof *self);
    struct api_call call = {self, NULL, "leat_flow_new", name, NULL};

    self->flow = flow_new(name ? name : "");
    if (!flow_name_is_valid(self->flow->name))
        api_problem(&call, "a name is a letter or _, then letters, digits, _ "
                           "and -");
    return self;
}

void
leat_flow_destroy(leat_flow **flow_p)
{
    leat_flow *self = *flow_p;

    if (!self)
        return;
    for (size_t i = 0; i < self->nvalue; i++)
        tmpl_destroy(&self->values[i]);
    for (size_t i = 0; i < self->ncount; i++)
        free(self->how_many[i].name);
    while (self->nblock > 0)
        api_block_release(&self->blocks[--self->nblock]);
    for (size_t i = 0; i < self->nproblem; i++)
        free(self->problems[i]);
    names_release(&self->counts);
    free(self->values);
    free(self->how_many);
    free(self->blocks);
    free(self->handlers);
    free(self->problems);
    flow_destroy(&self->flow);
    free(self);
    *flow_p = NULL;
}

const char *
leat_flow_name(const leat_flow *flow)
{
    return flow->flow->name;
}

leat_flow *
api_build(const char *name, leat_build_fn *build)
{
    char *shown = mem_dup(name);
    leat_flow *self;

    for (char *c = shown; *c; c++) {
        if (*c == '_')
            *c = '-';
    }
    self = leat_flow_new(shown);
    free(shown);
    build(self);
    return self;
}

struct flow *
api_flow(leat_flow *self)
{
    return self->flow;
}

/* ---- problems ---- */

void
api_problem(const struct api_call *call, const char *fmt, ...)
{
    leat_flow *flow = call->flow;
    struct buf text = {0};
    char *why = NULL;
    va_list ap;
    int n;

    if (flow->nproblem >= LIMIT_ERRORS) {
        flow->dropped++;
        return;
    }
    va_start(ap, fmt);
    n = vasprintf(&why, fmt, ap);
    va_end(ap);
    if (call->where)
        buf_printf(&text, "%s: ", call->where);
    buf_text(&text, call->call);
    if (call->name)
        buf_printf(&text, "(\"%s\")", call->name);
    buf_text(&text, ": ");
    if (call->arg)
        buf_printf(&text, "argument `%s`: ", call->arg);
    buf_text(&text, n < 0 ? "out of memory" : why);
    if (n >= 0)
        free(why);
    flow->problems = mem_grow(flow->problems, &flow->cap_problem,
                              flow->nproblem + 1, sizeof *flow->problems);
    flow->problems[flow->nproblem++] = buf_take(&text);
}

bool
api_may_add(const struct api_call *call)
{
    if (!call->flow->checked)
        return true;
    api_problem(call, "the flow has been checked or run: nothing can be "
                      "changed any more");
    return false;
}

int
api_fail(leat_err *err, enum err_code code, const char *text)
{
    size_t n = strlen(text);

    if (!err)
        return -1;
    while (n > 0 && text[n - 1] == '\n')
        n--;
    err->code = (leat_err_code)code;
    if (n < sizeof err->msg)
        (void)snprintf(err->msg, sizeof err->msg, "%.*s", (int)n, text);
    else
        (void)snprintf(err->msg, sizeof err->msg, "%.*s\n...",
                       (int)sizeof err->msg - 8, text);
    return -1;
}

/* ---- checking ---- */

static void
refresh_name(void *ctx, struct ref *ref)
{
    const struct flow *flow = ctx;

    if (ref->scope != REF_TASK ||
        strcmp(ref->name, flow->tasks[ref->index].name) == 0)
        return;
    free(ref->name);
    ref->name = mem_dup(flow->tasks[ref->index].name);
}

static void
refresh_names(leat_flow *self)
{
    struct flow *flow = self->flow;

    for (size_t i = 0; i < flow->ntask; i++)
        api_each_ref(&flow->tasks[i], refresh_name, flow);
    tmpl_each_ref(flow->output, refresh_name, flow);
    self->renamed = false;
}

static void
close_blocks(leat_flow *self)
{
    while (self->nblock > 0) {
        struct api_block *block = &self->blocks[--self->nblock];
        struct api_call call = {self, block->where, "leat_case", NULL, NULL};

        api_problem(&call, "its block was left by break, goto or return");
        api_block_release(block);
    }
}

/* Lines are parted, not ended, by newlines. */
static void
new_line(struct buf *problems)
{
    if (problems->len > 0)
        buf_char(problems, '\n');
}

static void
add_dropped(struct buf *problems, size_t n)
{
    if (n > 0)
        buf_printf(problems, "\nand %zu more", n);
}

static void
add_diags(const struct diags *diags, struct buf *problems)
{
    for (size_t i = 0; i < diags->n; i++) {
        new_line(problems);
        buf_text(problems, diags->list[i].text);
        if (diags->list[i].help)
            buf_printf(problems, " (%s)", diags->list[i].help);
    }
    add_dropped(problems, diags->dropped);
}

static int
check_flow(leat_flow *self, struct buf *problems)
{
    struct diags diags = {.file = self->flow->name};
    int rc;

    if (self->renamed)
        refresh_names(self);
    rc = flow_check(self->flow, &diags);
    add_diags(&diags, problems);
    diags_release(&diags);
    if (rc == 0) {
        api_settle_handlers(self);
        self->checked = true;
    }
    return rc;
}

int
api_check(leat_flow *self, struct buf *problems)
{
    close_blocks(self);
    if (self->nproblem == 0)
        return self->checked ? 0 : check_flow(self, problems);
    for (size_t i = 0; i < self->nproblem; i++) {
        new_line(problems);
        buf_text(problems, self->problems[i]);
    }
    add_dropped(problems, self->dropped);
    return -1;
}

int
leat_flow_check(leat_flow *flow, leat_err *err)
{
    struct buf problems = {0};
    int rc = api_check(flow, &problems);

    if (rc < 0)
        (void)api_fail(err, ERR_INVALID, buf_str(&problems));
    buf_release(&problems);
    return rc;
}

/* ---- what belongs to the flow itself ---- */

void
leat_flow_set_help(leat_flow *flow, const char *help)
{
    free(flow->flow->help);
    flow->flow->help = mem_dup(help);
}

void
leat_flow_set_limit(leat_flow *flow, const char *tag, unsigned most)
{
    struct api_call call = {flow, NULL, "leat_flow_set_limit", tag, NULL};
    struct flow *f = flow->flow;

    if (most == 0) {
        api_problem(&call, "the limit must be at least 1");
        return;
    }
    if (!api_may_add(&call))
        return;
    f->limits = api_append(f->limits, (uint32_t)f->nlimit, sizeof *f->limits);
    f->limits[f->nlimit++] = (struct flow_limit){mem_dup(tag), most};
}

void
leat_flow_set_max_fails(leat_flow *flow, unsigned most)
{
    flow->flow->max_fails = most;
    flow->flow->has_max_fails = true;
}
