/* SPDX-License-Identifier: MPL-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/which.h"

/* What has ended already is no wrong flow. */
static int
refused(const struct cli *cli, const struct err *err)
{
    int code = cli_error(cli, err);

    return code == EXIT_INVALID ? EXIT_FAILED : code;
}

/* "12", or "12/train[8,3]", of which *task is what follows the slash. */
static char *
run_of(const char *word, const char **task)
{
    const char *slash = strchr(word, '/');

    *task = slash ? slash + 1 : NULL;
    return slash ? mem_text(word, (size_t)(slash - word)) : mem_dup(word);
}

static int
ask(const struct cli *cli, struct client *client, const char *name,
    const char *task, bool now, uint64_t *run)
{
    struct err err;

    if (client_ask(client, ASK_FIND, 0, name, 0, NULL, run, &err) < 0 ||
        client_ask(client, ASK_CANCEL, *run, task, now, NULL, NULL, &err) < 0)
        return refused(cli, &err);
    return EXIT_OK;
}

static int
cancel(const struct cli *cli, const struct args *args, struct client *client,
       const char *word)
{
    bool now = args_has(args, OPT_NOW);
    const char *task = NULL;
    uint64_t run = 0;
    char *name;
    int code;

    name = run_of(word, &task);
    if (task && (task[0] == '\0' || task[0] == ':'))
        code = cli_usage(cli,
                         "%s: what can be cancelled is RUN, RUN/TASK or "
                         "RUN/TASK[KEY]",
                         word);
    else
        code = ask(cli, client, name, task, now, &run);
    if (code == EXIT_OK && !args_has(args, OPT_QUIET))
        (void)cli_fail(cli, 0, "%s%s%srun %" PRIu64 " is being %s",
                       task ? "`" : "", task ? task : "", task ? "` of " : "",
                       run, now ? "killed" : "cancelled");
    free(name);
    return code;
}

int
cmd_cancel(struct cli *cli, const struct args *args)
{
    struct client *client = NULL;
    int code = which_broker(cli, &client);

    if (code != EXIT_OK)
        return code;
    for (size_t i = 0; i < args->nword; i++) {
        int one = cancel(cli, args, client, args->words[i]);

        code = code == EXIT_OK ? one : code;
    }
    client_close(&client);
    return code;
}
