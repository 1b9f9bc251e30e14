/* SPDX-License-Identifier: MPL-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/carry.h"
#include "cli/each.h"
#include "flow/file.h"

#define OUT_BYTES (64u << 10) /* gathered before they are written */

static int
dry_run(const struct cli *cli, const struct each *each)
{
    struct buf out = {0};
    int code = EXIT_OK;

    for (size_t row = 0; row < each->nrow && code == EXIT_OK; row++) {
        each_show(each, row, &out);
        if (out.len < OUT_BYTES && row + 1 < each->nrow)
            continue;
        code = cli_print(cli, &out, code);
        buf_clear(&out);
    }
    buf_release(&out);
    return code;
}

static void
set_options(json_t *json, const struct args *args)
{
    const char *name =
        json_object_iter_key(json_object_iter(json_object_get(json, "tasks")));
    json_t *task = json_object_get(json_object_get(json, "tasks"), name);
    char *limit;

    if (args_has(args, OPT_MAX_FAILS))
        json_object_set_new(json, "max-fails",
                            json_integer(args_number(args, OPT_MAX_FAILS, 0)));
    if (args_has(args, OPT_RETRY))
        json_object_set_new(task, "retry",
                            json_integer(args_number(args, OPT_RETRY, 0)));
    if (!args_has(args, OPT_LIMIT))
        return;
    limit = mem_printf("%" PRId64 "us", args_number(args, OPT_LIMIT, 0));
    json_object_set_new(task, "timeout", json_string(limit));
    free(limit);
}

static int
make_flow(const struct cli *cli, const struct args *args,
          const struct each *each, struct flow **ret)
{
    struct diags diags = {0};
    struct buf out = {0};
    json_t *json = each_flow(each);
    char *text;
    int rc;

    set_options(json, args);
    text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    rc = flow_parse("each", text, strlen(text), ret, &diags);
    if (rc < 0) {
        diags_print(&diags, &out, cli->err.colour);
        (void)term_write(&cli->err, &out);
    } else {
        /* There is no such file to be looked into. */
        free((*ret)->file);
        (*ret)->file = NULL;
    }
    diags_release(&diags);
    buf_release(&out);
    free(text);
    return rc < 0 ? EXIT_INVALID : EXIT_OK;
}

static int
carry_each(struct cli *cli, const struct args *args, const struct each *each)
{
    struct input input = {.params = json_object()};
    struct carry carry = {
        .cli = cli,
        .args = args,
        .input = &input,
        .from = PLAN_NONE,
        .results = true,
        .tag = args_has(args, OPT_TAG) ||
               (cli->out.tty && !args_has(args, OPT_NO_TAG)),
    };
    int code = make_flow(cli, args, each, &input.flow);

    if (code == EXIT_OK)
        code = carry_out(&carry);
    input_release(&input);
    return code;
}

int
cmd_each(struct cli *cli, const struct args *args)
{
    struct each each = {0};
    struct err err;
    int code;

    if (args_has(args, OPT_TAG) && args_has(args, OPT_NO_TAG))
        return cli_usage(cli, "--tag and --no-tag exclude each other");
    if (each_read(&each, args->words, args->nword,
                  args_has(args, OPT_NULL) ? '\0' : '\n', &err) < 0)
        code = err.code == ERR_INVALID ? cli_usage(cli, "%s", err.msg)
                                       : cli_error(cli, &err);
    else if (args_has(args, OPT_DRY_RUN))
        code = dry_run(cli, &each);
    else
        code = carry_each(cli, args, &each);
    each_release(&each);
    return code;
}
