/* SPDX-License-Identifier: MPL-2.0 */
/*
 * read_options - the options of tasks, and of `defaults`.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "flow/read.h"
#include "flow/value.h"
#include "proto/limits.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

#define MAX_BACKOFF  1000
#define MAX_PRIORITY 1000000

struct flow_options *
read_own_options(struct reading *self, struct read_target *target)
{
    if (!target->options)
        target->options = flow_options_copy(self->flow, self->flow->options[0]);
    return target->options;
}

/* ---- retry ---- */

static void
read_times(struct reading *self, const struct node *value, void *into)
{
    struct flow_retry *retry = into;
    int64_t times;

    if (read_int(self, value, 0, LIMIT_RETRIES, &times))
        retry->times = (uint32_t)times;
}

static void
read_delay(struct reading *self, const struct node *value, void *into)
{
    read_span(self, value, &((struct flow_retry *)into)->delay);
}

static void
read_max(struct reading *self, const struct node *value, void *into)
{
    read_span(self, value, &((struct flow_retry *)into)->max);
}

static void
read_between(struct reading *self, const struct node *value, double min,
             double max, double *ret)
{
    char *what = mem_printf("a number from %g to %g", min, max);
    double number;

    if (read_float(self, value, what, &number)) {
        if (number >= min && number <= max)
            *ret = number;
        else
            read_expected(self, value, what);
    }
    free(what);
}

static void
read_backoff(struct reading *self, const struct node *value, void *into)
{
    read_between(self, value, 1, MAX_BACKOFF,
                 &((struct flow_retry *)into)->backoff);
}

static void
read_jitter(struct reading *self, const struct node *value, void *into)
{
    read_between(self, value, 0, 1, &((struct flow_retry *)into)->jitter);
}

static void
add_class(struct reading *self, const struct node *value, void *into)
{
    static const char *const names[] = {"failed", "timeout", "lost"};
    static const unsigned bits[] = {RETRY_FAILED, RETRY_TIMEOUT, RETRY_LOST};
    size_t i;

    if (read_choice(self, value, "a reason to retry", names, COUNT(names), &i))
        *(unsigned *)into |= bits[i];
}

static void
read_on(struct reading *self, const struct node *value, void *into)
{
    unsigned on = 0;

    if (read_items(self, value, "a list of failed, timeout, lost", add_class,
                   &on))
        ((struct flow_retry *)into)->on = on;
}

static const struct read_key retry_keys[] = {
    READ_KEY("times", read_times),     READ_KEY("delay", read_delay),
    READ_KEY("backoff", read_backoff), READ_KEY("max", read_max),
    READ_KEY("jitter", read_jitter),   READ_KEY("on", read_on),
};
static const struct read_table retry_table = {"`retry`", retry_keys,
                                              COUNT(retry_keys), NULL};

static void
read_retry(struct reading *self, const struct node *value, void *into)
{
    struct flow_options *options = read_own_options(self, into);
    struct flow_retry retry = {.backoff = 1,
                               .on = RETRY_FAILED | RETRY_TIMEOUT | RETRY_LOST};
    uint64_t seen = 1;

    if (value->kind == NODE_SCALAR)
        read_times(self, value, &retry);
    else
        read_keys(self, value, &retry_table, &retry, &seen);
    if (!(seen & (1 | READ_UNKNOWN)) && !value->cut && value->kind == NODE_MAP)
        diags_add(self->diags, yaml_place(value), NULL,
                  "`retry` needs `times`: how often to try again");
    options->retry = retry;
}

/* ---- lengths of time, switches, numbers ---- */

static void
read_timeout(struct reading *self, const struct node *value, void *into)
{
    read_span(self, value, &read_own_options(self, into)->timeout);
}

static void
read_grace(struct reading *self, const struct node *value, void *into)
{
    read_span(self, value, &read_own_options(self, into)->grace);
}

static void
read_for(struct reading *self, const struct node *value, void *into)
{
    read_span(self, value, into);
}

static const struct read_key cache_keys[] = {READ_KEY("for", read_for)};
static const struct read_table cache_table = {"`cache`", cache_keys,
                                              COUNT(cache_keys), NULL};

static void
read_cache(struct reading *self, const struct node *value, void *into)
{
    uint64_t seen;

    if (read_keys(self, value, &cache_table,
                  &read_own_options(self, into)->cache_for, &seen) &&
        !seen && !value->cut)
        diags_add(self->diags, yaml_place(value), NULL,
                  "`cache` needs `for`: how long a value is good");
}

static void
read_exclusive(struct reading *self, const struct node *value, void *into)
{
    read_bool(self, value, &read_own_options(self, into)->exclusive);
}

static void
read_at_most_once(struct reading *self, const struct node *value, void *into)
{
    read_bool(self, value, &read_own_options(self, into)->at_most_once);
}

static void
read_skip(struct reading *self, const struct node *value, void *into)
{
    read_bool(self, value, &read_own_options(self, into)->skip_on_skip);
}

static void
read_priority(struct reading *self, const struct node *value, void *into)
{
    int64_t number;

    if (read_int(self, value, -MAX_PRIORITY, MAX_PRIORITY, &number))
        read_own_options(self, into)->priority = (int32_t)number;
}

static void
read_max_parallel(struct reading *self, const struct node *value, void *into)
{
    int64_t number;

    if (read_int(self, value, 0, LIMIT_CHILDREN, &number))
        read_own_options(self, into)->max_parallel = (uint32_t)number;
}

/* ---- exit ---- */

static void
add_code(struct reading *self, const struct node *value, void *into)
{
    struct flow_codes *codes = into;
    int64_t code;

    if (read_int(self, value, 1, 255, &code))
        codes->bits[code / 64] |= UINT64_C(1) << (code % 64);
}

static void
read_codes(struct reading *self, const struct node *value,
           struct flow_codes *ret)
{
    *ret = (struct flow_codes){0};
    read_items(self, value, "a list of exit codes", add_code, ret);
}

static void
read_exit_skip(struct reading *self, const struct node *value, void *into)
{
    read_codes(self, value, &((struct flow_options *)into)->exit_skip);
}

static void
read_exit_retry(struct reading *self, const struct node *value, void *into)
{
    read_codes(self, value, &((struct flow_options *)into)->exit_retry);
}

static const struct read_key exit_keys[] = {
    READ_KEY("skip", read_exit_skip),
    READ_KEY("retry", read_exit_retry),
};
static const struct read_table exit_table = {"`exit`", exit_keys,
                                             COUNT(exit_keys), NULL};

static void
read_exit(struct reading *self, const struct node *value, void *into)
{
    struct flow_options *options = read_own_options(self, into);

    options->exit_skip = options->exit_retry = (struct flow_codes){0};
    read_keys(self, value, &exit_table, options, NULL);
    for (int code = 1; code < 256; code++) {
        if (options->exit_skip.bits[code / 64] &
            options->exit_retry.bits[code / 64] & UINT64_C(1) << (code % 64))
            diags_add(self->diags, yaml_place(value), NULL,
                      "exit code %d can't mean both skip and retry", code);
    }
}

/* ---- trigger ---- */

static void
read_bound(struct reading *self, const struct node *value, double *ret)
{
    static const char what[] =
        "a number of tasks, or below 1 a fraction of them";
    double number;

    if (!read_float(self, value, what, &number))
        return;
    if (number < 0 || (number >= 1 && number != floor(number)))
        read_expected(self, value, what);
    else
        *ret = number;
}

static void
read_at_least(struct reading *self, const struct node *value, void *into)
{
    read_bound(self, value, &((struct flow_options *)into)->at_least);
}

static void
read_at_most(struct reading *self, const struct node *value, void *into)
{
    read_bound(self, value, &((struct flow_options *)into)->at_most);
}

static const struct read_key some_keys[] = {
    READ_KEY("at-least", read_at_least),
    READ_KEY("at-most", read_at_most),
};
static const struct read_table some_table = {
    "`some-successful` and `some-failed`", some_keys, COUNT(some_keys), NULL};

static void
read_some(struct reading *self, const struct node *value,
          struct flow_options *options, enum plan_trigger trigger)
{
    uint64_t seen;

    options->trigger = trigger;
    if (read_keys(self, value, &some_table, options, &seen) && !seen &&
        !value->cut)
        diags_add(self->diags, yaml_place(value), NULL,
                  "`%s` needs `at-least`, `at-most` or both",
                  plan_trigger_names[trigger]);
}

static void
read_some_successful(struct reading *self, const struct node *value, void *into)
{
    read_some(self, value, into, TRIGGER_SOME_SUCCESSFUL);
}

static void
read_some_failed(struct reading *self, const struct node *value, void *into)
{
    read_some(self, value, into, TRIGGER_SOME_FAILED);
}

static const struct read_key trigger_keys[] = {
    READ_KEY("some-successful", read_some_successful),
    READ_KEY("some-failed", read_some_failed),
};
static const struct read_table trigger_table = {"`trigger`", trigger_keys,
                                                COUNT(trigger_keys), NULL};

/* Those that need no bounds come first in the enum; and an alias. */
static void
read_trigger_name(struct reading *self, const struct node *value,
                  struct flow_options *options)
{
    const char *names[TRIGGER_COUNT];
    size_t n = 0, found;

    for (; n < TRIGGER_SOME_SUCCESSFUL; n++)
        names[n] = plan_trigger_names[n];
    names[n++] = "always-run";
    if (read_is(self, value, "some-successful") ||
        read_is(self, value, "some-failed"))
        diags_add(self->diags, yaml_place(value),
                  mem_printf("trigger: { %.*s: { at-least: 2 } }",
                             (int)value->len, yaml_text(&self->yaml, value)),
                  "this trigger needs to know how many");
    else if (read_choice(self, value, "a trigger", names, n, &found))
        options->trigger = found < TRIGGER_SOME_SUCCESSFUL
                               ? (enum plan_trigger)found
                               : TRIGGER_ALL_FINISHED;
}

static void
read_trigger(struct reading *self, const struct node *value, void *into)
{
    struct flow_options *options = read_own_options(self, into);

    options->at_least = options->at_most = -1;
    if (value->kind == NODE_MAP && value->len == 4)
        diags_add(self->diags, yaml_place(value), NULL,
                  "a task has one trigger, not two");
    else if (value->kind == NODE_MAP)
        read_keys(self, value, &trigger_table, options, NULL);
    else
        read_trigger_name(self, value, options);
}

static const struct read_key option_keys[] = {
    READ_KEY("retry", read_retry),
    READ_KEY("timeout", read_timeout),
    READ_KEY("grace", read_grace),
    READ_KEY("exit", read_exit),
    READ_KEY("exclusive", read_exclusive),
    READ_KEY("at-most-once", read_at_most_once),
    READ_KEY("trigger", read_trigger),
    READ_KEY("skip-on-upstream-skip", read_skip),
    READ_KEY("resources", read_resources),
    READ_KEY("tags", read_tags),
    READ_KEY("where", read_where),
    READ_KEY("priority", read_priority),
    READ_KEY("max-parallel", read_max_parallel),
    READ_KEY("cache", read_cache),
    READ_KEY("env", read_env),
    READ_KEY("cwd", read_cwd),
    READ_KEY("shell", read_shell),
};

const struct read_table read_options_table = {"`defaults`", option_keys,
                                              COUNT(option_keys), NULL};
