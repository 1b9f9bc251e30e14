/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/which.h"

int
cmd_drain(struct cli *cli, const struct args *args)
{
    struct client *client = NULL;
    int code = which_broker(cli, &client);

    if (code != EXIT_OK)
        return code;
    for (size_t i = 0; i < args->nword; i++) {
        const char *name = args->words[i];
        struct err err;
        int one = EXIT_OK;

        if (client_ask(client, ASK_DRAIN, 0, name, 0, NULL, NULL, &err) < 0)
            one = cli_error(cli, &err);
        else if (!args_has(args, OPT_QUIET))
            (void)cli_fail(cli, 0, "%s gets nothing more, and leaves", name);
        code = code == EXIT_OK ? one : code;
    }
    client_close(&client);
    return code;
}
