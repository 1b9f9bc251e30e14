/* SPDX-License-Identifier: MPL-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/file.h"
#include "flow/params.h"
#include "tests/sim/sim.h"
#include "tests/support/random_file.h"

/* ---- flows ---- */

static struct flow *
parse(const struct sim *s, const char *text, bool must)
{
    struct diags diags = {0};
    struct buf shown = {0};
    struct flow *flow = NULL;

    if (flow_parse("random.yaml", text, strlen(text), &flow, &diags) < 0 &&
        must) {
        diags_print(&diags, &shown, false);
        sim_fail(s, "a flow is not valid:\n%s\n%s", text, buf_str(&shown));
    }
    diags_release(&diags);
    buf_release(&shown);
    return flow;
}

static json_t *
draw_resources(uint64_t *dice)
{
    switch (dice_roll(dice, 5)) {
    case 0:
        return json_pack("{s:f}", "cpus", 0.5);
    case 1:
        return json_pack("{s:i}", "cpus", 2);
    case 2:
        return json_pack("{s:s, s:f}", "memory", "600MB", "cpus", 0.25);
    case 3:
        return json_pack("{s:f}", "gpus", dice_one_in(dice, 2) ? 0.5 : 1.0);
    default:
        return json_pack("{s:f}", "licence", dice_one_in(dice, 2) ? 1.0 : 0.7);
    }
}

/* What random files do not have. */
static void
decorate(uint64_t *dice, json_t *task, bool calls)
{
    const char *value = json_string_value(json_object_get(task, "value"));

    if (json_object_get(task, "argv")) { /* the reference does not look there */
        json_object_del(task, "argv");
        json_object_set_new(task, "run", json_string("list"));
    }
    if (json_object_get(task, "first"))
        return;
    if (calls && json_object_get(task, "run") && value &&
        strcmp(value, "json") == 0 && !json_object_get(task, "stdin") &&
        !json_object_get(task, "env")) {
        json_object_set(task, "call", json_object_get(task, "run"));
        json_object_del(task, "run");
        json_object_del(task, "value");
    }
    if (dice_one_in(dice, 7))
        json_object_set_new(task, "exclusive", json_true());
    if (dice_one_in(dice, 8)) {
        json_object_set_new(task, "at-most-once", json_true());
        json_object_set_new(task, "retry", json_integer(0));
    }
    if (dice_one_in(dice, 4))
        json_object_set_new(task, "resources", draw_resources(dice));
    if (dice_one_in(dice, 5))
        json_object_set_new(task, "tags", json_string("few"));
    if (dice_one_in(dice, 7))
        json_object_set_new(
            task, "where",
            json_pack("{s:s}", "zone", dice_one_in(dice, 2) ? "a" : "b"));
}

static void
draw_flow(struct story *self)
{
    struct sim *s = self->sim;
    struct buf text = {0};
    const char *name;
    json_t *json, *tasks, *task;
    struct flow *plain;
    bool calls = dice_one_in(&s->dice, 2);

    random_file(&s->dice, &text);
    plain = parse(s, buf_str(&text), true);
    json = flow_to_json(plain);
    tasks = json_object_get(json, "tasks");
    json_object_foreach(tasks, name, task)
        decorate(&s->dice, task, calls);
    if (dice_one_in(&s->dice, 2))
        json_object_set_new(
            json, "limits",
            json_pack("{s:i}", "few", (int)dice_roll(&s->dice, 2) + 1));
    self->text = json_dumps(json, JSON_COMPACT);
    self->flow = parse(s, self->text, true);
    json_decref(json);
    flow_destroy(&plain);
    buf_release(&text);
}

/* ---- instances ---- */

static struct inst *
new_inst(struct story *self, struct plan_id id)
{
    struct inst *inst = mem_alloc(1, sizeof *inst);

    inst->story = self;
    inst->id = id;
    return inst;
}

struct inst *
story_inst(struct story *self, struct plan_id id)
{
    struct insts *insts = &self->insts[id.task];

    if (id.child == PLAN_WHOLE)
        return insts->whole;
    if (id.child > 100000)
        sim_fail(self->sim, "there is no child %u", id.child);
    if (id.child >= insts->n) {
        size_t cap = insts->n;

        insts->children = mem_grow(insts->children, &cap, id.child + 1,
                                   sizeof(struct inst *));
        for (; insts->n <= id.child; insts->n++)
            insts->children[insts->n] =
                new_inst(self, (struct plan_id){id.task, insts->n});
    }
    return insts->children[id.child];
}

typedef void inst_fn(struct story *self, struct inst *inst);

static void
each_inst(struct story *self, inst_fn *fn)
{
    for (uint32_t t = 0; t < self->flow->ntask; t++) {
        fn(self, self->insts[t].whole);
        for (uint32_t k = 0; k < self->insts[t].n; k++)
            fn(self, self->insts[t].children[k]);
    }
}

static const struct flow_options *
options_of(const struct inst *inst)
{
    return inst->story->flow->tasks[inst->id.task].options;
}

/* "#2 t3[7]" */
const char *
story_shown(const struct inst *inst)
{
    static char text[4][80];
    static unsigned n;
    char *at = text[n++ % 4];

    (void)snprintf(at, sizeof text[0], "run %llu %s[%d]",
                   (unsigned long long)inst->story->run,
                   inst->story->flow->tasks[inst->id.task].name,
                   (int)inst->id.child);
    return at;
}

static bool
is_failure(enum plan_state state)
{
    return state == PLAN_FAILED || state == PLAN_TIMED_OUT ||
           state == PLAN_CRASHED;
}

/* ---- life ---- */

struct story *
story_new(struct sim *s, uint64_t run)
{
    struct story *self = mem_alloc(1, sizeof *self);
    struct buf problems = {0};
    json_t *given = json_object();

    self->sim = s;
    self->run = run;
    draw_flow(self);
    if (params_bind(self->flow, given, &self->params, &problems) < 0)
        sim_fail(s, "no parameters: %s", buf_str(&problems));
    json_decref(given);
    self->fate = (struct fate){self->flow, dice_mix(s->seed * 7 + run),
                               !sim_chance(s, 20)};
    self->want = ref_run_new(self->flow, self->params, fate_try, &self->fate);
    self->insts = mem_alloc(self->flow->ntask, sizeof *self->insts);
    for (uint32_t t = 0; t < self->flow->ntask; t++)
        self->insts[t].whole = new_inst(self, (struct plan_id){t, PLAN_WHOLE});
    return self;
}

static void
free_inst(struct story *self, struct inst *inst)
{
    (void)self;
    free(inst);
}

void
story_destroy(struct story **self_p)
{
    struct story *self = *self_p;

    if (!self)
        return;
    for (uint32_t t = 0; t < self->flow->ntask; t++) {
        for (uint32_t k = 0; k < self->insts[t].n; k++)
            free_inst(self, self->insts[t].children[k]);
        free(self->insts[t].children);
        free_inst(self, self->insts[t].whole);
    }
    free(self->insts);
    for (size_t i = 0; i < self->nnote; i++)
        note_release(&self->notes[i]);
    free(self->notes);
    free(self->strange);
    json_decref(self->output);
    json_decref(self->params);
    ref_run_destroy(&self->want);
    flow_destroy(&self->flow);
    free(self->text);
    free(self);
    *self_p = NULL;
}

/* ---- the store's side ---- */

struct note
note_new(struct story *story, const struct store_record *record)
{
    struct note self = {.story = story, .record = *record};

    self.record.task = mem_dup(record->task);
    self.record.key = mem_dup(record->key);
    self.record.cause = mem_dup(record->cause);
    self.record.cwd = mem_dup(record->cwd);
    json_incref((json_t *)(uintptr_t)record->value);
    return self;
}

void
note_release(struct note *self)
{
    free((char *)(uintptr_t)self->record.task);
    free((char *)(uintptr_t)self->record.key);
    free((char *)(uintptr_t)self->record.cause);
    free((char *)(uintptr_t)self->record.cwd);
    json_decref((json_t *)(uintptr_t)self->record.value);
    json_decref(self->output);
}

void
story_committed(struct story *self, const struct note *note)
{
    struct inst *inst;

    if (note->is_end) {
        self->phase =
            note->state == STORE_PAUSED || note->state == STORE_INTERRUPTED
                ? STORY_RESTS
                : STORY_OVER;
        self->state = note->state;
        json_decref(self->output);
        self->output = json_incref(note->output);
        return;
    }
    self->notes = mem_grow(self->notes, &self->cap_note, self->nnote + 1,
                           sizeof *self->notes);
    self->notes[self->nnote++] = note_new(self, &note->record);
    inst = story_inst(self, note->record.id);
    inst->stored = note->record.state;
    inst->stored_attempt = note->record.attempt;
    if (note->record.state == PLAN_RUNNING)
        inst->running_stored = note->record.attempt;
}

static struct history *
load(const struct story *self)
{
    struct store_run info = {
        .id = self->run,
        .flow = mem_dup(self->flow->name),
        .source = mem_dup(self->text),
        .source_len = strlen(self->text),
        .params = json_incref(self->params),
    };
    struct history *history = NULL;
    struct err err;

    if (history_begin(&history, &info, &err) < 0)
        sim_fail(self->sim, "no history: %s", err.msg);
    for (size_t i = 0; i < self->nnote; i++)
        history_add(history, &self->notes[i].record);
    history_end(history);
    return history;
}

/* As the broker must see it now. */
static void
go_back(struct story *self, struct inst *inst)
{
    if (inst->begun &&
        (inst->state != inst->stored || inst->attempt != inst->stored_attempt))
        inst->touched = true;
    if (options_of(inst)->at_most_once && inst->stored == PLAN_RUNNING)
        inst->touched = true; /* nobody knows whether it began */
    inst->state = inst->stored;
    inst->attempt = inst->stored_attempt;
    inst->kept = inst->stored_attempt > 0 && plan_state_is_final(inst->stored);
    if (plan_state_is_final(inst->state) &&
        (!inst->kept || (self->anew && !plan_state_is_success(inst->stored))))
        inst->state = PLAN_WAITING;
    self->nfailed += inst->kept && !self->anew && is_failure(inst->stored);
    if (self->again) /* what follows from something new is executed again */
        inst->kept = false;
    if (inst->kept && inst->ticket != 0)
        sim_fail(self->sim, "%s has a ticket still", story_shown(inst));
}

void
story_begin(struct story *self, int64_t adopt_until)
{
    struct sim *s = self->sim;
    struct history *history = self->session > 0 ? load(self) : NULL;
    struct err err;
    struct broker_run run = {
        .id = self->run,
        .flow = parse(s, self->text, true),
        .params = self->params,
        .seed = self->fate.seed,
        .resume = history,
        .from = PLAN_NONE,
        .adopt_until = adopt_until,
    };

    sim_say(s, "run %llu begins, session %u", (unsigned long long)self->run,
            self->session + 1);
    self->session++;
    self->phase = STORY_RUNS;
    self->ended = false;
    self->nfailed = 0;
    self->adopt_until = adopt_until;
    self->anew = history && adopt_until == 0;
    self->again |= self->anew;
    each_inst(self, go_back);
    if (broker_run_begin(s->hub.core, &run, s->now, &err) < 0)
        sim_fail(s, "run %llu: %s", (unsigned long long)self->run, err.msg);
    history_destroy(&history);
}

/* ---- what must be so ---- */

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

    if (is_exempt(self, inst->id))
        return;
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

static void
note_end(struct story *self, struct inst *inst,
         const struct store_record *record)
{
    struct sim *s = self->sim;

    if (inst->final_in == self->session)
        sim_fail(s, "%s is recorded %s, but it had ended already",
                 story_shown(inst), plan_state_names[record->state]);
    if (inst->kept && record->attempt > 0 && !is_exempt(self, inst->id))
        sim_fail(s, "%s is recorded %s, but its end had been kept",
                 story_shown(inst), plan_state_names[record->state]);
    inst->final_in = self->session;
    self->nfailed += is_failure(record->state);
    if (self->flow->has_max_fails && self->nfailed > self->flow->max_fails)
        self->fell = true;
    if (record->state == PLAN_CANCELLED && !self->cancelled && !self->fell &&
        !self->again)
        sim_fail(s, "%s is cancelled, but nobody did that (%s)",
                 story_shown(inst), record->cause ? record->cause : "");
    if (inst->ticket != 0)
        sim_fail(s, "%s ends %s while its ticket is out", story_shown(inst),
                 plan_state_names[record->state]);
    check_end_of(self, inst, record);
}

/* Only what has begun is blamed; what must not begin twice may have. */
static void
check_blame(struct story *self, struct inst *inst,
            const struct store_record *record)
{
    const struct flow_options *o = options_of(inst);

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
        hub_look_at(s, inst);
    check_blame(self, inst, record);
    if (record->cause && strcmp(record->cause, "short of something") == 0)
        sim_fail(s, "%s is %s, as somebody refused it", story_shown(inst),
                 plan_state_names[record->state]);
    /* Nobody who was there could run its program. */
    if (record->cause && strcmp(record->cause, "it can't be run here") == 0)
        inst->touched = true;
    if (plan_state_is_final(record->state))
        note_end(self, inst, record);
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

    return self->phase == STORY_RUNS && !self->ended && !self->again &&
           self->sim->now < self->adopt_until && !is_exempt(self, held->id) &&
           held->attempt > inst->attempt - (inst->state == PLAN_RUNNING) &&
           inst->ticket == 0 && inst->final_in != self->session &&
           inst->state <= PLAN_RUNNING && !find_unfinished(self, inst);
}

static uint32_t
count_out(struct story *self, const char *tag, uint32_t task)
{
    struct hub *hub = &self->sim->hub;
    uint32_t n = 0;

    for (size_t i = hub->nslip; i-- > 0;)
        hub_look_at(self->sim, hub->slips[i].inst);
    for (size_t i = 0; i < hub->nslip; i++) {
        const struct inst *inst = hub->slips[i].inst;
        const struct flow_options *o = options_of(inst);
        bool has = inst->id.task == task;

        for (uint32_t k = 0; tag && k < o->ntag; k++)
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
    const struct flow_options *o = options_of(inst);

    if (self->phase != STORY_RUNS || self->ended)
        sim_fail(s, "%s is sent, but the run does not run", story_shown(inst));
    if (inst->final_in == self->session)
        sim_fail(s, "%s is sent, but it is %s", story_shown(inst),
                 plan_state_names[inst->state]);
    if (inst->kept && !is_exempt(self, inst->id))
        sim_fail(s, "%s is sent, but was %s in an earlier session",
                 story_shown(inst), plan_state_names[inst->state]);
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
    const struct flow_options *o = options_of(inst);
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

    each_inst(self, check_over);
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
