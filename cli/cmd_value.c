/* SPDX-License-Identifier: MPL-2.0 */
#include <inttypes.h>

#include "cli/json.h"
#include "cli/which.h"
#include "cli/words.h"
#include "flow/value.h"

/* The value of an instance; of a whole map the list. New. */
static json_t *
value_of(const struct history *history, struct plan_id id)
{
    const struct history_task *task = &history->tasks[id.task];
    const struct history_item *item = history_item(history, id);
    json_t *list;

    if (item->state != PLAN_MAPPED)
        return item->value ? json_incref(item->value) : json_null();
    list = json_array();
    for (uint32_t k = 0; k < task->nchild; k++) {
        json_t *value = task->children[k].value;

        json_array_append_new(list, value ? json_incref(value) : json_null());
    }
    return list;
}

static int
explain(const struct cli *cli, const struct which *which, enum plan_state state)
{
    struct buf name = {0};
    int code;

    history_name(which->history, which->ids[0], &name);
    code = cli_fail(cli, EXIT_NOT_FOUND,
                    "`%s` has no value: it %s in run %" PRIu64
                    "; see %s why %" PRIu64 "/%s",
                    buf_str(&name), words_task(state), which->history->info.id,
                    cli->name, which->history->info.id, buf_str(&name));
    buf_release(&name);
    return code;
}

static int
find(const struct cli *cli, const struct which *which, json_t **ret)
{
    const struct history *history = which->history;
    enum plan_state state;

    if (which->whole) {
        if (history->info.state != STORE_SUCCEEDED)
            return cli_fail(cli, EXIT_NOT_FOUND,
                            "run %" PRIu64 " has no output: it %s",
                            history->info.id, words_run(history->info.state));
        *ret = history->info.output ? json_incref(history->info.output)
                                    : json_null();
        return EXIT_OK;
    }
    if (which->nid > 1)
        return cli_usage(cli, "%zu tasks are named, only one can be printed",
                         which->nid);
    state = history_item(history, which->ids[0])->state;
    if (state == PLAN_MAPPED)
        state = history_state(history, which->ids[0].task);
    if (!plan_state_is_success(state))
        return explain(cli, which, state);
    *ret = value_of(history, which->ids[0]);
    return EXIT_OK;
}

static int
print(const struct cli *cli, const json_t *value)
{
    struct buf out = {0};
    int code;

    if (json_is_string(value))
        value_text(value, &out);
    else
        value_json(value, &out);
    buf_char(&out, '\n');
    code = cli_print(cli, &out, EXIT_OK);
    buf_release(&out);
    return code;
}

static json_t *
document(const struct which *which, json_t *value)
{
    struct buf name = {0};
    json_t *out;

    if (!which->whole)
        history_name(which->history, which->ids[0], &name);
    out = json_pack("{s:s, s:I, s:o, s:O}", "schema", "leat.value/1", "run",
                    (json_int_t)which->history->info.id, "task",
                    which->whole ? json_null()
                                 : json_of_text(buf_str(&name), name.len),
                    "value", value);
    buf_release(&name);
    return out;
}

int
cmd_value(struct cli *cli, const struct args *args)
{
    struct which which = {0};
    json_t *value = NULL;
    int code = which_task(&which, cli, args->words[0]);

    if (code == EXIT_OK)
        code = find(cli, &which, &value);
    if (code == EXIT_OK && args_has(args, OPT_JSON))
        code = cli_print_json(cli, document(&which, value), code);
    else if (code == EXIT_OK)
        code = print(cli, value);
    json_decref(value);
    which_release(&which);
    return code;
}
