/* SPDX-License-Identifier: MPL-2.0 */
/* What must hold of a run, whatever happens. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/sim/sim.h"

static bool
is_known(const struct story *self, struct plan_id id)
{
    return id.child == PLAN_WHOLE ||
           id.child < ref_run_children(self->want, id.task);
}

/* Something that it depends on came to another end than it should. */
static bool
is_exempt(const struct story *self, struct plan_id id)
{
    if (self->cancelled || self->fell || !is_known(self, id))
        return true;
    for (size_t i = 0; i < self->nstrange; i++) {
        struct plan_id other = self->strange[i];

        if (ref_run_follows(self->want, id.task, other.task))
            return true;
        if (id.task == other.task &&
            (id.child == PLAN_WHOLE || other.child == PLAN_WHOLE))
            return true;
    }
    return false;
}

static bool
is_equal(const json_t *a, const json_t *b)
{
    struct buf texts[2] = {0};
    bool same;

    value_json(a, &texts[0]);
    value_json(b, &texts[1]);
    same = strcmp(buf_str(&texts[0]), buf_str(&texts[1])) == 0;
    buf_release(&texts[0]);
    buf_release(&texts[1]);
    return same;
}

static void
set_strange(struct story *self, const struct inst *inst)
{
    self->strange = mem_grow(self->strange, &self->cap_strange,
                             self->nstrange + 1, sizeof *self->strange);
    self->strange[self->nstrange++] = inst->id;
}

/* Against the reference: only what a fault has touched may differ. */
static void
check_end_of(struct story *self, struct inst *inst,
             const struct store_record *record)
{
    struct sim *s = self->sim;
    const struct ref_instance *want;
    json_t *value;
    bool same;

    if (is_exempt(self, inst->id)) {
        /* A map may be so for one child; now all of them are. */
        if (inst->touched && inst->id.child == PLAN_WHOLE)
            set_strange(self, inst);
        return;
    }
    want = ref_run_instance(self->want, inst->id);
    value = ref_run_value(self->want, inst->id);
    same = want->state == record->state &&
           (!plan_state_is_success(record->state) ||
            is_equal(value, record->value));
    json_decref(value);
    if (same && !inst->touched && !self->again &&
        record->attempt != want->attempts)
        sim_fail(s, "%s took %u attempts, not %u", story_shown(inst),
                 record->attempt, want->attempts);
    if (same)
        return;
    if (!inst->touched && !self->again) {
        char *got = json_dumps(record->value, JSON_ENCODE_ANY);

        sim_fail(s, "%s is %s with %s (%s), not %s; nothing happened to it",
                 story_shown(inst), plan_state_names[record->state],
                 got ? got : "nothing", record->cause ? record->cause : "",
                 plan_state_names[want->state]);
    }
    set_strange(self, inst);
}

/*
 * Its end was kept, and nothing that it may depend on is newer. (A map that
 * could not be expanded has not waited for what it goes over, but is taken for
 * as new as that.)
 */
static bool
must_stay(struct story *self, const struct inst *inst)
{
    if (!inst->kept || is_exempt(self, inst->id))
        return false;
    for (uint32_t t = 0; t < self->flow->ntask; t++) {
        const struct insts *insts = &self->insts[t];

        if (!ref_run_follows(self->want, inst->id.task, t))
            continue;
        if (insts->whole->stored_attempt > 0 &&
            insts->whole->stored_order > inst->stored_order)
            return false;
        for (uint32_t k = 0; k < insts->n; k++) {
            if (insts->children[k]->stored_attempt > 0 &&
                insts->children[k]->stored_order > inst->stored_order)
                return false;
        }
    }
    return true;
}

static void
note_end(struct story *self, struct inst *inst,
         const struct store_record *record)
{
    struct sim *s = self->sim;

    if (inst->final_in == self->session)
        sim_fail(s, "%s is recorded %s, but it had ended already",
                 story_shown(inst), plan_state_names[record->state]);
    if (record->attempt > 0 && must_stay(self, inst))
        sim_fail(s, "%s is recorded %s, but its end had been kept",
                 story_shown(inst), plan_state_names[record->state]);
    inst->touched |= inst->kept && record->attempt > 0;
    inst->final_in = self->session;
    self->nfailed += story_is_failure(record->state);
    if (self->flow->has_max_fails && self->nfailed > self->flow->max_fails)
        self->fell = true;
    if (record->state == PLAN_CANCELLED && !self->cancelled && !self->fell &&
        !self->again && !inst->stopped)
        sim_fail(s, "%s is cancelled, but nobody did that (%s)",
                 story_shown(inst), record->cause ? record->cause : "");
    if (inst->ticket != 0)
        sim_fail(s, "%s ends %s while its ticket is out", story_shown(inst),
                 plan_state_names[record->state]);
    check_end_of(self, inst, record);
}

/* ---- state handlers ---- */

static void
check_asked(struct story *self, const struct lane_task *task)
{
    struct sim *s = self->sim;
    struct inst *inst = story_inst(self, task->work->id);
    struct run_change change;
    struct err err;

    if (!flow_is_handled(self->flow, inst->id.task))
        sim_fail(s, "%s has no handlers", story_shown(inst));
    if (self->phase != STORY_RUNS || self->ended || self->cancelled)
        sim_fail(s, "handlers of %s are asked, but the run does not run",
                 story_shown(inst));
    if (work_from_handle(&change, task->work->handle, &err) < 0)
        sim_fail(s, "handlers of %s: %s", story_shown(inst), err.msg);
    if (inst->final_in == self->session)
        sim_fail(s, "handlers of %s are asked, but it is %s", story_shown(inst),
                 plan_state_names[inst->state]);
    if (inst->agreed_attempt == task->work->attempt &&
        inst->agreed >> change.state & 1)
        sim_fail(s, "handlers of %s are asked again", story_shown(inst));
    if (inst->ticket != 0)
        sim_fail(s, "handlers of %s are asked while it runs",
                 story_shown(inst));
}

static void
take_answer(struct inst *inst, uint32_t attempt, const struct result *result)
{
    inst->story->sim->counts.answers++;
    if (result->refused != REFUSED_NOT)
        return;
    if (result->state != PLAN_SUCCEEDED) {
        inst->touched = true;
        return;
    }
    if (inst->agreed_attempt != attempt)
        inst->agreed = 0;
    inst->agreed_attempt = attempt;
    inst->agreed |= UINT32_C(1) << json_integer_value(result->value);
}

void
story_came(const struct slip *slip, const struct result *result)
{
    if (slip->handlers) {
        take_answer(slip->inst, slip->attempt, result);
        return;
    }
    slip->inst->accepted++;
    if (result->refused == 0) /* else there will be another of this number */
        slip->inst->came = slip->attempt;
}

/* Everything but what others have decided: that it is cancelled, that nobody
 * could be asked. */
static void
check_agreed(struct story *self, const struct inst *inst, uint32_t attempt,
             enum plan_state state, const char *cause)
{
    if (!flow_is_handled(self->flow, inst->id.task) || self->cancelled ||
        state == PLAN_CANCELLED ||
        (cause && (strncmp(cause, "its state handler failed", 24) == 0 ||
                   strcmp(cause, "it can't be run here") == 0)))
        return;
    if (inst->agreed_attempt != attempt || (inst->agreed >> state & 1) == 0)
        sim_fail(self->sim, "%s #%u becomes %s, and no handler was asked",
                 story_shown(inst), attempt, plan_state_names[state]);
}

/* ---- what is recorded ---- */

/* Only what has begun is blamed; what must not begin twice may have. */
static void
check_blame(struct story *self, struct inst *inst,
            const struct store_record *record)
{
    const struct flow_options *o = story_options(inst);

    if (!record->cause || strncmp(record->cause, "agent ", 6) != 0)
        return;
    if (!o->at_most_once && (inst->begun >> (record->attempt % 64) & 1) == 0)
        sim_fail(self->sim, "%s is blamed (%s), but never began",
                 story_shown(inst), record->cause);
    self->sim->counts.crashes++;
}

void
story_recorded(struct story *self, const struct store_record *record)
{
    struct sim *s = self->sim;
    struct inst *inst = story_inst(self, record->id);

    sim_say(s, "  record %s #%u %s %s", story_shown(inst), record->attempt,
            plan_state_names[record->state],
            record->cause ? record->cause : "");
    s->progress = s->now;
    if (self->ended)
        sim_fail(s, "%s is recorded after the end of its run",
                 story_shown(inst));
    if (inst->final_in == self->session)
        sim_fail(s, "%s is recorded %s after its end", story_shown(inst),
                 plan_state_names[record->state]);
    if (strcmp(record->task, self->flow->tasks[record->id.task].name) != 0)
        sim_fail(s, "%s is called %s", story_shown(inst), record->task);
    if (record->attempt < inst->attempt &&
        (inst->begun >> (inst->attempt % 64) & 1))
        sim_fail(s, "%s goes back from attempt %u to %u", story_shown(inst),
                 inst->attempt, record->attempt);
    if (record->state != PLAN_RUNNING) /* a hello: it is renamed right now */
        slip_check(s, inst);
    check_blame(self, inst, record);
    if (record->cause && strcmp(record->cause, "short of something") == 0)
        sim_fail(s, "%s is %s, as somebody refused it", story_shown(inst),
                 plan_state_names[record->state]);
    /* Nobody who was there could run its program. */
    if (record->cause && strcmp(record->cause, "it can't be run here") == 0)
        inst->touched = true;
    if (record->state != PLAN_RUNNING) /* it may have been adopted */
        check_agreed(self, inst, record->attempt, record->state, record->cause);
    if (plan_state_is_final(record->state))
        note_end(self, inst, record);
    if (record->state == PLAN_MAPPED)
        inst->mapped_in = self->session;
    inst->state = record->state;
    inst->attempt = record->attempt;
}

/* ---- what is sent ---- */

/* What it sees and has not ended, or NULL. */
static const struct inst *
find_unfinished(struct story *self, const struct inst *inst)
{
    struct plan_id *ids = NULL;
    size_t n = ref_run_upstream(self->want, inst->id, false, &ids);
    const struct inst *found = NULL;

    for (size_t i = 0; i < n && !found; i++) {
        found = story_inst(self, ids[i]);
        if (plan_state_is_final(found->state) || found->state == PLAN_MAPPED)
            found = NULL;
    }
    free(ids);
    return found;
}

static void
check_inputs(struct story *self, const struct inst *inst)
{
    const struct inst *other;

    if (is_exempt(self, inst->id))
        return;
    other = find_unfinished(self, inst);
    if (other)
        sim_fail(self->sim, "%s is sent while %s is %s", story_shown(inst),
                 story_shown(other), plan_state_names[other->state]);
}

bool
story_must_adopt(struct story *self, const struct held *held)
{
    const struct inst *inst = story_inst(self, held->id);
    const struct flow_options *o = story_options(inst);

    /* What has ended elsewhere, but was not heard of, may have its place. */
    if (o->max_parallel > 0 || (o->ntag > 0 && self->flow->nlimit > 0))
        return false;
    if (held->id.child != PLAN_WHOLE &&
        self->insts[held->id.task].whole->mapped_in != self->session)
        return false;
    return self->phase == STORY_RUNS && !self->ended && !self->again &&
           self->sim->now < self->adopt_until && !is_exempt(self, held->id) &&
           held->attempt > inst->attempt - (inst->state == PLAN_RUNNING) &&
           inst->ticket == 0 && !inst->stopped &&
           inst->final_in != self->session && held->attempt > inst->came &&
           inst->state <= PLAN_RUNNING && !find_unfinished(self, inst);
}

static uint32_t
count_out(struct story *self, const char *tag, uint32_t task)
{
    struct hub *hub = &self->sim->hub;
    uint32_t n = 0;

    for (size_t i = hub->nslip; i-- > 0;)
        slip_check(self->sim, hub->slips[i].inst);
    for (size_t i = 0; i < hub->nslip; i++) {
        const struct inst *inst = hub->slips[i].inst;
        const struct flow_options *o = story_options(inst);
        bool has = inst->id.task == task && !hub->slips[i].handlers;

        for (uint32_t k = 0; tag && k < o->ntag && !hub->slips[i].handlers; k++)
            has |= strcmp(o->tags[k], tag) == 0;
        n += inst->story == self && has;
    }
    return n;
}

/* With the one that is being sent. */
static void
check_limits(struct story *self, const struct inst *inst)
{
    const struct flow_task *task = &self->flow->tasks[inst->id.task];
    const struct flow_options *o = task->options;

    for (size_t i = 0; i < self->flow->nlimit; i++) {
        const struct flow_limit *limit = &self->flow->limits[i];

        for (uint32_t k = 0; k < o->ntag; k++) {
            if (strcmp(o->tags[k], limit->tag) == 0 &&
                count_out(self, limit->tag, UINT32_MAX) > limit->most)
                sim_fail(self->sim, "%s is sent past the limit of %u",
                         story_shown(inst), limit->most);
        }
    }
    if (task->mapped && o->max_parallel > 0 &&
        count_out(self, NULL, inst->id.task) > o->max_parallel)
        sim_fail(self->sim, "%s is sent past max-parallel %u",
                 story_shown(inst), o->max_parallel);
}

void
story_sent(struct story *self, const struct lane_task *task)
{
    struct sim *s = self->sim;
    struct inst *inst = story_inst(self, task->work->id);
    const struct flow_options *o = story_options(inst);

    if (task->work->spec->handlers) {
        check_asked(self, task);
        return;
    }
    if (self->phase != STORY_RUNS || self->ended)
        sim_fail(s, "%s is sent, but the run does not run", story_shown(inst));
    if (inst->final_in == self->session)
        sim_fail(s, "%s is sent, but it is %s", story_shown(inst),
                 plan_state_names[inst->state]);
    if (must_stay(self, inst))
        sim_fail(s, "%s is sent, but was %s in an earlier session",
                 story_shown(inst), plan_state_names[inst->state]);
    inst->touched |= inst->kept;
    inst->kept = false;
    if (task->work->attempt < inst->attempt ||
        (task->work->attempt == inst->attempt && inst->state == PLAN_RETRYING))
        sim_fail(s, "%s is sent as attempt %u after %u", story_shown(inst),
                 task->work->attempt, inst->attempt);
    if (s->now < self->adopt_until && inst->state == PLAN_RUNNING)
        sim_fail(s, "%s is sent while it may still run elsewhere",
                 story_shown(inst));
    if (o->at_most_once && inst->running_stored != task->work->attempt)
        sim_fail(s, "%s is sent before that is on disk", story_shown(inst));
    if (self->cancelled)
        sim_fail(s, "%s is sent after the run was cancelled",
                 story_shown(inst));
    check_agreed(self, inst, task->work->attempt, PLAN_RUNNING, NULL);
    if (inst->stopped)
        sim_fail(s, "%s is sent after it was cancelled", story_shown(inst));
    check_inputs(self, inst);
    check_limits(self, inst);
}

/* ---- what begins ---- */

static json_t *
given_to(const struct work *work)
{
    json_t *all = json_object();

    json_object_set_new(all, "bindings", work_bindings(work));
    if (work->input)
        json_object_set(all, "stdin", work->input);
    json_object_set_new(all, "env",
                        work->env ? json_incref(work->env) : json_object());
    return all;
}

static uint32_t
count_bits(uint64_t bits)
{
    uint32_t n = 0;

    for (; bits; bits &= bits - 1)
        n++;
    return n;
}

struct run_outcome
story_begins(struct story *self, const struct work *work)
{
    struct sim *s = self->sim;
    struct inst *inst = story_inst(self, work->id);
    const struct flow_options *o = story_options(inst);
    uint64_t bit = UINT64_C(1) << (work->attempt % 64);
    json_t *given = given_to(work);
    struct run_outcome outcome;

    s->progress = s->now;
    s->counts.starts++;
    inst->starts++;
    if (!is_exempt(self, inst->id) &&
        !is_equal(given, ref_run_instance(self->want, inst->id)->given))
        sim_fail(s, "%s is given %s, not %s", story_shown(inst),
                 json_dumps(given, JSON_COMPACT),
                 json_dumps(ref_run_instance(self->want, inst->id)->given,
                            JSON_COMPACT));
    if (o->at_most_once && inst->starts > 1)
        sim_fail(s, "%s begins %u times", story_shown(inst), inst->starts);
    if (inst->live > 0 && (o->exclusive || inst->losses == 0))
        sim_fail(s, "%s begins while it runs already", story_shown(inst));
    if (inst->starts > inst->accepted + inst->losses + 1 && !self->again)
        sim_fail(s, "%s begins %u times: %u came back, %u were lost",
                 story_shown(inst), inst->starts, inst->accepted, inst->losses);
    inst->begun |= bit;
    outcome = fate_try(&self->fate, inst->id,
                       count_bits(inst->genuine & ~bit) + 1, given);
    json_decref(given);
    return outcome;
}

/* ---- the end ---- */

static void
check_over(struct story *self, struct inst *inst)
{
    struct sim *s = self->sim;

    if (inst->ticket != 0)
        sim_fail(s, "the run is over, but %s has a ticket", story_shown(inst));
    if (!is_known(self, inst->id) && self->nstrange == 0)
        sim_fail(s, "%s should not be", story_shown(inst));
    if (is_exempt(self, inst->id) || inst->stored == PLAN_MAPPED)
        return;
    if (!plan_state_is_final(inst->stored))
        sim_fail(s, "the run is over, but %s is %s on disk", story_shown(inst),
                 plan_state_names[inst->stored]);
}

void
story_check_end(struct story *self)
{
    struct sim *s = self->sim;
    json_t *output;

    story_each(self, check_over);
    if (self->cancelled)
        return;
    if (self->state != STORE_SUCCEEDED && self->state != STORE_FAILED)
        sim_fail(s, "run %llu ended %s", (unsigned long long)self->run,
                 store_run_state_names[self->state]);
    if (self->fell || self->nstrange > 0)
        return;
    output = ref_run_output(self->want);
    if ((self->state == STORE_SUCCEEDED) !=
        (ref_run_is_success(self->want) && (!self->flow->output || output)))
        sim_fail(s, "run %llu ended %s", (unsigned long long)self->run,
                 store_run_state_names[self->state]);
    if (self->state == STORE_SUCCEEDED && !is_equal(output, self->output))
        sim_fail(s, "run %llu has another output",
                 (unsigned long long)self->run);
    json_decref(output);
}
