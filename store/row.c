/* SPDX-License-Identifier: MPL-2.0 */
/*
 * row - what the row of a run says; as JSON, and back, as brokers say it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/store.h"

const char *
store_run_problem(const struct store_run *self)
{
    return json_string_value(json_object_get(self->options, "problem"));
}

const char *
store_run_cluster(const struct store_run *self)
{
    return json_string_value(json_object_get(self->options, "cluster"));
}

bool
store_run_timed_out(const struct store_run *self)
{
    const char *problem = store_run_problem(self);

    return self->state == STORE_CANCELLED && problem &&
           strcmp(problem, STORE_TIMED_OUT) == 0;
}

static void
set(json_t *object, const char *name, json_t *value)
{
    if (value)
        (void)json_object_set_new(object, name, value);
}

/* A path can have any bytes; what is no UTF-8 is shown with question marks. */
static json_t *
text(const char *s)
{
    json_t *made = s ? json_string(s) : NULL;
    char *copy;

    if (made || !s)
        return made;
    copy = mem_dup(s);
    for (char *c = copy; *c; c++) {
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    }
    made = json_string(copy);
    free(copy);
    return made;
}

json_t *
store_run_to_json(const struct store_run *run)
{
    json_t *made = json_object();

    set(made, "run", json_integer((json_int_t)run->id));
    set(made, "flow", text(run->flow));
    set(made, "name", text(run->name));
    set(made, "state", text(store_run_state_names[run->state]));
    set(made, "started", json_integer(run->started));
    set(made, "ended", run->ended ? json_integer(run->ended) : NULL);
    set(made, "params", json_incref(run->params));
    set(made, "output", json_incref(run->output));
    set(made, "options", json_incref(run->options));
    set(made, "sessions", json_integer((json_int_t)run->sessions));
    set(made, "file", text(run->file));
    set(made, "program", text(run->program));
    set(made, "cwd", text(run->cwd));
    if (run->source)
        set(made, "source", json_stringn(run->source, run->source_len));
    return made;
}

/* A number that may be missing; false if it is anything else. */
static bool
take_number(const json_t *json, const char *name, int64_t least, int64_t most,
            int64_t *ret)
{
    const json_t *value = json_object_get(json, name);
    int64_t number;

    if (!value || json_is_null(value))
        return true;
    number = json_integer_value(value);
    if (!json_is_integer(value) || number < least || number > most)
        return false;
    *ret = number;
    return true;
}

/* A text that may be missing. */
static bool
take_text(const json_t *json, const char *name, char **ret, size_t *n)
{
    const json_t *value = json_object_get(json, name);
    size_t len = json_string_length(value);

    if (!value || json_is_null(value))
        return true;
    if (!json_is_string(value))
        return false;
    /* Only who asks for its length can cope with a NUL inside. */
    if (!n && strlen(json_string_value(value)) != len)
        return false;
    *ret = mem_text(json_string_value(value), len);
    if (n)
        *n = len;
    return true;
}

static bool
take_object(const json_t *json, const char *name, json_t **ret)
{
    json_t *value = json_object_get(json, name);

    if (!value || json_is_null(value))
        return true;
    *ret = json_incref(value);
    return json_is_object(value);
}

static bool
take_state(const json_t *json, enum store_run_state *ret)
{
    const char *name = json_string_value(json_object_get(json, "state"));

    for (size_t i = 0; name && i < STORE_RUN_STATE_COUNT; i++) {
        if (strcmp(store_run_state_names[i], name) == 0) {
            *ret = (enum store_run_state)i;
            return true;
        }
    }
    return false;
}

static bool
take_numbers(const json_t *json, struct store_run *run)
{
    int64_t id = 0, sessions = 1;

    if (!take_number(json, "run", 1, INT64_MAX, &id) ||
        !take_number(json, "started", 0, INT64_MAX, &run->started) ||
        !take_number(json, "ended", 0, INT64_MAX, &run->ended) ||
        !take_number(json, "sessions", 1, UINT32_MAX, &sessions))
        return false;
    run->id = (uint64_t)id;
    run->sessions = (uint32_t)sessions;
    return id > 0;
}

int
store_run_from_json(struct store_run *ret, const json_t *json, struct err *err)
{
    struct store_run run = {0};

    if (!json_is_object(json) || !take_numbers(json, &run) ||
        !take_state(json, &run.state) ||
        !take_text(json, "flow", &run.flow, NULL) || !run.flow ||
        !take_text(json, "name", &run.name, NULL) ||
        !take_text(json, "file", &run.file, NULL) ||
        !take_text(json, "program", &run.program, NULL) ||
        !take_text(json, "cwd", &run.cwd, NULL) ||
        !take_text(json, "source", &run.source, &run.source_len) ||
        !take_object(json, "params", &run.params) ||
        !take_object(json, "options", &run.options)) {
        store_run_release(&run);
        return err_set(err, ERR_INVALID, "the row of a run can't be read");
    }
    /* Any value. */
    run.output = json_incref(json_object_get(json, "output"));
    *ret = run;
    return 0;
}
