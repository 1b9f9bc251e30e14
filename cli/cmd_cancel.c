/* SPDX-License-Identifier: MPL-2.0 */
#include <inttypes.h>
#include <string.h>

#include "cli/which.h"

/* What has ended already is no wrong flow. */
static int
refused(const struct cli *cli, const struct err *err)
{
    int code = cli_error(cli, err);

    return code == EXIT_INVALID ? EXIT_FAILED : code;
}

static int
cancel(const struct cli *cli, const struct args *args, struct client *client,
       const char *word)
{
    bool now = args_has(args, OPT_NOW);
    uint64_t run = 0;
    struct err err;

    if (strchr(word, '/'))
        return cli_usage(
            cli, "%s names a task: only whole runs can be cancelled", word);
    if (client_ask(client, ASK_FIND, 0, word, 0, NULL, &run, &err) < 0 ||
        client_ask(client, ASK_CANCEL, run, NULL, now, NULL, NULL, &err) < 0)
        return refused(cli, &err);
    if (!args_has(args, OPT_QUIET))
        (void)cli_fail(cli, 0, "run %" PRIu64 " is being %s", run,
                       now ? "killed" : "cancelled");
    return EXIT_OK;
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
