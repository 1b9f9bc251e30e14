/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/fate.h"

#include <string.h>

#include "base/buf.h"
#include "flow/value.h"
#include "tests/support/random_flow.h"

#define MOST       3   /* items of a list */
#define ECHO_BYTES 200 /* what is longer is not given back */

const char *const fate_shape_names[FATE_SHAPE_COUNT] = {
    [FATE_LIST] = "list", [FATE_NESTED] = "nested", [FATE_OBJECT] = "object",
    [FATE_INT] = "int",   [FATE_ECHO] = "echo",
};

static const char *const words[] = {"a",         "b",        "",
                                    "two words", "\xc3\xa9", "x\ny"};

static json_t *
draw_scalar(uint64_t *dice)
{
    switch (dice_roll(dice, 8)) {
    case 0:
        return json_null();
    case 1:
        return json_true();
    case 2:
        return json_real(0.5 + dice_roll(dice, 2));
    case 3:
    case 4:
        return json_string(words[dice_roll(dice, 6)]);
    default:
        return json_integer(dice_roll(dice, 4));
    }
}

static json_t *
draw_list(uint64_t *dice, uint32_t depth)
{
    json_t *list = json_array();

    for (uint32_t n = dice_roll(dice, MOST + 1); n > 0; n--)
        json_array_append_new(list, depth > 1 ? draw_list(dice, depth - 1)
                                              : draw_scalar(dice));
    return list;
}

json_t *
fate_value(uint64_t *dice, enum fate_shape shape)
{
    switch (shape) {
    case FATE_LIST:
        return draw_list(dice, 1);
    case FATE_NESTED:
        return draw_list(dice, 2);
    case FATE_OBJECT:
        return json_pack("{s:o, s:i, s:{s:o}}", "f", draw_list(dice, 1), "g",
                         (int)dice_roll(dice, 4), "h", "k", draw_scalar(dice));
    case FATE_INT:
        return json_integer(dice_roll(dice, 4));
    case FATE_ECHO:
    case FATE_SHAPE_COUNT:
        break;
    }
    return draw_scalar(dice);
}

static json_t *
draw_lines(uint64_t *dice)
{
    json_t *list = json_array();

    for (uint32_t n = dice_roll(dice, MOST + 1); n > 0; n--)
        json_array_append_new(list, json_string(words[dice_roll(dice, 5)]));
    return list;
}

static enum fate_shape
shape_of(const struct flow_task *task)
{
    const char *name = task->script ? task->script : "";
    int shape = 0;

    while (shape < FATE_ECHO && strcmp(fate_shape_names[shape], name) != 0)
        shape++;
    return (enum fate_shape)shape;
}

static json_t *
draw_json(const struct flow_task *task, uint64_t *dice, const json_t *given)
{
    enum fate_shape shape = shape_of(task);

    if (dice_one_in(dice, 12))
        shape = (enum fate_shape)dice_roll(dice, FATE_SHAPE_COUNT);
    if (shape == FATE_ECHO) {
        const json_t *all = json_object_get(given, "bindings");
        struct buf text = {0};
        size_t len;

        value_json(all, &text);
        len = text.len;
        buf_release(&text);
        if (len <= ECHO_BYTES)
            return json_deep_copy(all);
    }
    return fate_value(dice, shape);
}

static json_t *
draw_value(const struct flow_task *task, uint64_t *dice, const json_t *given)
{
    switch (task->value) {
    case VALUE_TEXT:
        return json_string(words[dice_roll(dice, 6)]);
    case VALUE_LINES:
        return draw_lines(dice);
    case VALUE_INT:
        return json_integer(dice_roll(dice, 4));
    case VALUE_FLOAT:
        return json_real(dice_roll(dice, 4) / 2.0);
    case VALUE_JSON:
        return draw_json(task, dice, given);
    case VALUE_NONE:
    case VALUE_KIND_COUNT:
        break;
    }
    return NULL;
}

static uint64_t
hash_text(const json_t *value, uint64_t seed)
{
    struct buf text = {0};

    value_json(value, &text);
    for (size_t i = 0; i < text.len; i++)
        seed = dice_mix(seed ^ (unsigned char)text.data[i]);
    buf_release(&text);
    return seed;
}

static bool
is_retried(const struct flow_retry *retry, enum plan_state state)
{
    if (state == PLAN_FAILED)
        return retry->on & RETRY_FAILED;
    if (state == PLAN_TIMED_OUT)
        return retry->on & RETRY_TIMEOUT;
    return state != PLAN_CRASHED || retry->on & RETRY_LOST;
}

/* How often it fails before it ends as it must. */
static uint32_t
stumbles(const struct fate *self, const struct flow_retry *retry, uint64_t dice,
         enum plan_state state)
{
    uint32_t n = dice_one_in(&dice, 2) ? dice_roll(&dice, 4) : 0;

    if (!self->tame)
        return n;
    if (!is_retried(retry, state))
        return 0;
    return n < retry->times ? n : retry->times;
}

struct run_outcome
fate_try(void *ctx, struct plan_id id, uint32_t attempt, const json_t *given)
{
    static const enum plan_state failures[] = {PLAN_FAILED, PLAN_TIMED_OUT,
                                               PLAN_CRASHED, PLAN_RETRYING};
    static const enum plan_state ends[] = {
        PLAN_SUCCEEDED, PLAN_SUCCEEDED, PLAN_SUCCEEDED, PLAN_SUCCEEDED,
        PLAN_SUCCEEDED, PLAN_SUCCEEDED, PLAN_SUCCEEDED, PLAN_SUCCEEDED,
        PLAN_SUCCEEDED, PLAN_CACHED,    PLAN_CACHED,    PLAN_SKIPPED,
        PLAN_SKIPPED,   PLAN_FAILED,    PLAN_TIMED_OUT, PLAN_CRASHED,
    };
    const struct fate *self = ctx;
    const struct flow_task *task = &self->flow->tasks[id.task];
    uint64_t dice =
        dice_mix(self->seed ^ dice_mix(id.task * UINT64_C(1000003) + id.child));
    enum plan_state failure = failures[dice_roll(&dice, 4)];
    struct run_outcome end = {.state = failure, .cause = "it was its fate"};

    if (!given) {
        end.state = PLAN_FAILED;
        return end;
    }
    if (attempt <= stumbles(self, &task->options->retry, dice, failure))
        return end;
    end.state = ends[dice_roll(&dice, sizeof ends / sizeof ends[0])];
    if (end.state == PLAN_SUCCEEDED || end.state == PLAN_CACHED) {
        dice = hash_text(given, dice);
        end.value = draw_value(task, &dice, given);
        end.cause = NULL;
    }
    return end;
}
