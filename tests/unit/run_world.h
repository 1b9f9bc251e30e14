/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Whole runs with a fake executor: what each attempt gives is in a table, and
 * everything that happens is one line of a journal.
 */
#ifndef TESTS_UNIT_RUN_WORLD_H
#define TESTS_UNIT_RUN_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs those above */
#include <cmocka.h>

#include "base/buf.h"
#include "flow/file.h"
#include "flow/params.h"
#include "flow/run.h"

/* What an attempt gives: by name, or by name and attempt ("x#2"). */
struct scripted {
    const char *name;
    enum plan_state state; /* PLAN_WAITING ends the table */
    const char *json;      /* NULL: null */
};

struct world {
    struct flow *flow;
    struct run *run;
    const struct scripted *script;
    struct buf journal;
    enum plan_state (*handle)(void *ctx, struct run_change *change);
    int64_t now;
    uint32_t random;
};

static inline void
on_changed(void *ctx, const struct run_change *change)
{
    struct world *w = ctx;

    run_name(w->run, change->id, &w->journal);
    buf_printf(&w->journal, " %s", plan_state_names[change->state]);
    if (change->kept)
        buf_text(&w->journal, " kept");
    if (change->value && !json_is_null(change->value)) {
        buf_char(&w->journal, ' ');
        value_json(change->value, &w->journal);
    }
    if (change->cause)
        buf_printf(&w->journal, ": %s", change->cause);
    if (change->state == PLAN_RETRYING)
        buf_printf(&w->journal, " in %lld",
                   (long long)((change->until - w->now) / SPAN_MS));
    buf_char(&w->journal, '\n');
}

static inline void
begin(struct world *w, const char *text, const char *params)
{
    struct diags diags = {0};
    struct buf problems = {0};
    struct buf shown = {0};
    struct run_hooks hooks = {on_changed, w->handle, w};
    json_t *given = json_loads(params ? params : "{}", 0, NULL);
    json_t *bound = NULL;
    struct err err;

    if (flow_parse("test.yaml", text, strlen(text), &w->flow, &diags) < 0) {
        diags_print(&diags, &shown, false);
        fail_msg("%s", buf_str(&shown));
    }
    assert_int_equal(params_bind(w->flow, given, &bound, &problems), 0);
    assert_int_equal(run_new(&w->run, w->flow, bound, 1, &hooks, &err), 0);
    json_decref(given);
    json_decref(bound);
    diags_release(&diags);
}

static inline const struct scripted *
find_script(const struct world *w, const char *name, uint32_t attempt)
{
    char numbered[120];

    (void)snprintf(numbered, sizeof numbered, "%s#%u", name, attempt);
    for (const struct scripted *s = w->script; s && s->name; s++) {
        if (strcmp(s->name, name) == 0 || strcmp(s->name, numbered) == 0)
            return s;
    }
    return NULL;
}

static inline void
report(struct world *w, struct plan_id id)
{
    struct run_outcome outcome = {.state = PLAN_SUCCEEDED};
    const struct scripted *s;
    struct buf name = {0};

    run_name(w->run, id, &name);
    s = find_script(w, buf_str(&name), run_attempts(w->run, id));
    if (s) {
        outcome.state = s->state;
        outcome.value =
            s->json ? json_loads(s->json, JSON_DECODE_ANY, NULL) : NULL;
        outcome.cause = s->state == PLAN_SUCCEEDED ? NULL : "scripted";
    }
    buf_release(&name);
    run_report(w->run, id, &outcome, w->now);
}

/* Run to the end, one attempt at a time; time jumps over waits. */
static inline enum run_step
go(struct world *w)
{
    for (;;) {
        struct plan_id id;
        int64_t until;
        enum run_step step = run_next(w->run, w->now, &id, &until);

        if (step == RUN_START)
            report(w, id);
        else if (step == RUN_WAIT)
            w->now = until;
        else
            return step;
    }
}

static inline void
end(struct world *w)
{
    run_destroy(&w->run);
    flow_destroy(&w->flow);
    buf_release(&w->journal);
}

static inline void
check_run(const char *text, const char *params, const struct scripted *script,
          const char *journal)
{
    struct world w = {.script = script};

    begin(&w, text, params);
    assert_int_equal(go(&w), RUN_ENDED);
    assert_string_equal(buf_str(&w.journal), journal);
    end(&w);
}

#define HEAD "leat: 1\nname: test\ntasks:\n"

#endif
