/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/carry.h"
#include "cli/file.h"
#include "cli/remote.h"
#include "cli/which.h"

/* The functions of a C flow are in its program: let that go on. */
static int
become_program(const struct cli *cli, const struct store_run *info,
               const struct args *args, uint64_t run)
{
    char **argv = mem_alloc(args->n * 2 + 6, sizeof *argv);
    char *number = mem_printf("%" PRIu64, run);
    char *name = mem_dup(info->program);
    char *store = mem_printf("--store=%s", cli->config.store);
    size_t n = 0, first;
    int code;

    argv[n++] = name;
    argv[n++] = (char[]){"retry"};
    first = n;
    for (size_t i = 0; i < args->n; i++) {
        const struct opt_spec *spec = &opt_specs[args->list[i].opt];

        if (args->list[i].opt == OPT_STORE)
            continue;
        argv[n++] = args->list[i].text
                        ? mem_printf("--%s=%s", spec->name, args->list[i].text)
                        : mem_printf("--%s", spec->name);
    }
    argv[n++] = store;
    argv[n++] = number;
    (void)execv(name, argv);
    code = cli_fail(cli, EXIT_NOT_FOUND,
                    "the program of run %" PRIu64 ", %s, can't be started: %s",
                    run, name, strerror(errno));
    for (size_t i = first; i < n; i++)
        free(argv[i]);
    free(name);
    free(argv);
    return code;
}

/* The file of a C flow is its program. */
static bool
is_program(const struct store_run *info)
{
    return info->program || json_object_get(info->options, "program");
}

static void
note_change(const struct cli *cli, const struct store_run *info)
{
    char *path = info->file && info->file[0] == '/'
                     ? mem_dup(info->file)
                     : mem_printf("%s/%s", info->cwd ? info->cwd : ".",
                                  info->file ? info->file : "");
    char *text = NULL;
    size_t len = 0;
    struct err err;

    if (info->file && !is_program(info) && access(path, R_OK) == 0 &&
        file_read(path, &text, &len, &err) == 0 &&
        (len != info->source_len || memcmp(text, info->source, len) != 0))
        (void)cli_fail(cli, 0,
                       "note: %s has changed since; the run goes on with the "
                       "flow that it began with",
                       info->file);
    free(text);
    free(path);
}

/* The flow to go on with: the stored one, or this very program's. */
static int
find_flow(struct input *input, const struct cli *cli,
          const struct history *history)
{
    char *now;
    bool same;
    int code;

    input->params = json_incref(history->info.params);
    if (!cli->build) {
        input->flow = history->flow;
        free(input->flow->file);
        input->flow->file = mem_dup(history->info.file);
        note_change(cli, &history->info);
        return EXIT_OK;
    }
    code = input_flow(input, cli, NULL);
    if (code != EXIT_OK)
        return code;
    now = flow_to_text(input->flow);
    same = strlen(now) == history->info.source_len &&
           memcmp(now, history->info.source, history->info.source_len) == 0;
    free(now);
    if (same)
        return EXIT_OK;
    return cli_fail(cli, EXIT_INVALID,
                    "run %" PRIu64 " is not of this flow as it is now: its "
                    "tasks or parameters have changed; start a new run",
                    history->info.id);
}

static int
check(const struct cli *cli, const struct args *args,
      const struct history *history, uint32_t *from)
{
    const char *task = args_text(args, OPT_FROM);
    const struct store_run *info = &history->info;
    struct plan_id id = {PLAN_NONE, PLAN_WHOLE};
    struct err err;

    if (info->state == STORE_RUNNING)
        return cli_fail(cli, EXIT_UNREACHABLE,
                        "run %" PRIu64 " is still running; wait for it with: "
                        "%s wait %" PRIu64,
                        info->id, cli->name, info->id);
    if (info->state == STORE_SUCCEEDED && !task)
        return cli_fail(cli, EXIT_USAGE,
                        "run %" PRIu64 " has succeeded; --from TASK executes "
                        "a part of it again",
                        info->id);
    if (task && history_find(history, task, &id, &err) < 0)
        return cli_error(cli, &err);
    if (id.child != PLAN_WHOLE)
        return cli_usage(cli, "--from names a task, not one child of it");
    *from = id.task;
    return EXIT_OK;
}

static int
go_on(struct cli *cli, const struct args *args, const struct history *history)
{
    struct input input = {0};
    struct carry carry = {.cli = cli,
                          .args = args,
                          .input = &input,
                          .resume = history,
                          .from = PLAN_NONE};
    int code = check(cli, args, history, &carry.from);

    if (code == EXIT_OK)
        code = find_flow(&input, cli, history);
    if (code == EXIT_OK)
        code = carry_out(&carry);
    if (!cli->build)
        input.flow = NULL; /* the history's */
    input_release(&input);
    return code;
}

/* "retry -j 12": twelve at once of the last run, or as many as cores of 12? */
static int
check_number(const struct cli *cli, const struct args *args)
{
    const struct arg *slots = args_find(args, OPT_SLOTS);

    if (!slots || !slots->apart || args->nword > 0)
        return EXIT_OK;
    return cli_usage(cli,
                     "-j %s: is %s the run or how many at once? say "
                     "\"-j%s last\" or \"%s -j\"",
                     slots->text, slots->text, slots->text, slots->text);
}

int
cmd_retry(struct cli *cli, const struct args *args)
{
    struct which which = {0};
    bool here = remote_place(cli, args) != REMOTE_BROKER;
    int code = check_number(cli, args);

    if (code == EXIT_OK)
        code = which_run(&which, cli, args->nword > 0 ? args->words[0] : NULL);
    if (code == EXIT_OK && which.history->info.program && !cli->build && here)
        code = become_program(cli, &which.history->info, args,
                              which.history->info.id);
    else if (code == EXIT_OK)
        code = go_on(cli, args, which.history);
    which_release(&which);
    return code;
}
