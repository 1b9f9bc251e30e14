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
    if (json_object_get(task, "argv")) { /* the reference does not look there */
        json_object_del(task, "argv");
        json_object_set_new(task, "run", json_string("list"));
    }
    if (json_object_get(task, "first"))
        return;
    if (calls && json_object_get(task, "run") &&
        !json_object_get(task, "stdin") && !json_object_get(task, "env")) {
        json_object_set(task, "call", json_object_get(task, "run"));
        json_object_del(task, "run");
        json_object_del(task, "value");
    }
    if (dice_one_in(dice, 4))
        json_object_set_new(task, "handlers", json_true());
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
    if (dice_one_in(&s->dice, 3)) /* more than there are slots */
        json_object_set_new(tasks, "many",
                            json_pack("{s:{s:s}, s:s}", "each", "i", "1..30",
                                      dice_one_in(&s->dice, 3) ? "run" : "call",
                                      "int"));
    json_object_foreach(tasks, name, task)
        decorate(&s->dice, task, calls);
    if (dice_one_in(&s->dice, 2))
        json_object_set_new(
            json, "limits",
            json_pack("{s:i}", "few", (int)dice_roll(&s->dice, 2) + 1));
    if (dice_one_in(&s->dice, 8))
        json_object_set_new(json, "handlers", json_true());
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
        for (; insts->n <= id.child; insts->n++) {
            insts->children[insts->n] =
                new_inst(self, (struct plan_id){id.task, insts->n});
            /* Its map was cancelled while its handlers were asked. */
            insts->children[insts->n]->stopped = insts->whole->stopped;
            insts->children[insts->n]->touched = insts->whole->stopped;
        }
    }
    return insts->children[id.child];
}

void
story_each(struct story *self, story_inst_fn *fn)
{
    for (uint32_t t = 0; t < self->flow->ntask; t++) {
        fn(self, self->insts[t].whole);
        for (uint32_t k = 0; k < self->insts[t].n; k++)
            fn(self, self->insts[t].children[k]);
    }
}

const struct flow_options *
story_options(const struct inst *inst)
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

bool
story_is_failure(enum plan_state state)
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
    free(self->prints);
    extents_release(&self->extents);
    free(self->strange);
    free(self->stops);
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
    print_recorded(self, &note->record);
    inst = story_inst(self, note->record.id);
    inst->stored = note->record.state;
    inst->stored_attempt = note->record.attempt;
    inst->stored_order = self->nnote;
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

/* In a flow with handlers what was decided once stays so. */
static bool
is_decided(const struct story *self, const struct inst *inst)
{
    return flow_has_handlers(self->flow) && !self->anew &&
           inst->stored_attempt == 0 && inst->stored != PLAN_CANCELLED &&
           plan_state_is_final(inst->stored);
}

/* As the broker must see it now. */
static void
go_back(struct story *self, struct inst *inst)
{
    if (inst->begun &&
        (inst->state != inst->stored || inst->attempt != inst->stored_attempt))
        inst->touched = true;
    if (inst->came > 0 && !plan_state_is_final(inst->stored))
        inst->touched = true; /* its agent may come back too late with it */
    inst->came = 0;
    if (story_options(inst)->at_most_once && inst->stored == PLAN_RUNNING)
        inst->touched = true; /* nobody knows whether it began */
    inst->state = inst->stored;
    inst->attempt = inst->stored_attempt;
    inst->kept = inst->stored_attempt > 0 && plan_state_is_final(inst->stored);
    inst->agreed_attempt = inst->agreed = 0;
    if (plan_state_is_final(inst->state) && !is_decided(self, inst) &&
        (!inst->kept || (self->anew && !plan_state_is_success(inst->stored))))
        inst->state = PLAN_WAITING;
    self->nfailed += (inst->kept || is_decided(self, inst)) && !self->anew &&
                     story_is_failure(inst->stored);
    inst->stopped = inst->stopped && !self->anew;
    if (inst->stopped && inst->state == PLAN_CANCELLED) { /* it will be again */
        inst->kept = false;
        inst->state = PLAN_WAITING;
    }
    if (self->again) /* what follows from something new is executed again */
        inst->kept = false;
    if (inst->kept && inst->ticket != 0)
        sim_fail(self->sim, "%s has a ticket still", story_shown(inst));
}

void
story_begin(struct story *self, int64_t adopt_until)
{
    struct sim *s = self->sim;
    bool anew = self->session > 0 && adopt_until == 0;
    struct history *history = self->session > 0 ? load(self) : NULL;
    struct err err;
    struct broker_run run = {
        .id = self->run,
        .flow = parse(s, self->text, true),
        .params = self->params,
        .seed = self->fate.seed,
        .resume = history,
        .from = PLAN_NONE,
        .stops = self->stops,
        .nstop = anew ? 0 : self->nstop,
        .adopt_until = adopt_until,
    };

    self->nstop = run.nstop;
    sim_say(s, "run %llu begins, session %u", (unsigned long long)self->run,
            self->session + 1);
    self->session++;
    self->phase = STORY_RUNS;
    self->ended = false;
    self->nfailed = 0;
    self->adopt_until = adopt_until;
    self->anew = anew;
    self->again |= self->anew;
    story_each(self, go_back);
    print_taken_up(self, adopt_until != 0);
    if (broker_run_begin(s->hub.core, &run, s->now, &err) < 0)
        sim_fail(s, "run %llu: %s", (unsigned long long)self->run, err.msg);
    history_destroy(&history);
}

static void
mark_stopped(struct inst *inst)
{
    inst->stopped = inst->touched = true;
}

void
story_stop(struct story *self, struct plan_id id)
{
    struct sim *s = self->sim;
    const struct run *run = broker_run_find(s->hub.core, self->run);
    const struct insts *insts = &self->insts[id.task];

    if (!run)
        return;
    sim_say(s, "%s is cancelled by itself", story_shown(story_inst(self, id)));
    mark_stopped(story_inst(self, id));
    for (uint32_t k = 0; id.child == PLAN_WHOLE && k < insts->n; k++)
        mark_stopped(insts->children[k]);
    self->stops = mem_grow(self->stops, &self->cap_stop, self->nstop + 1,
                           sizeof *self->stops);
    self->stops[self->nstop++] = id;
    broker_run_stop(s->hub.core, self->run, id, sim_chance(s, 30), s->now);
}
