/* SPDX-License-Identifier: MPL-2.0 */
/* leat broker ...: the program leat-broker, for people who know only leat. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "lib/cluster.h"

int
cmd_broker(struct cli *cli, const struct args *args)
{
    char **words = mem_alloc(args->nword + 2, sizeof *words);
    char *path = NULL;
    struct err err;
    int code;

    if (cluster_program(&path, "leat-broker", &err) < 0) {
        code = cli_error(cli, &err);
    } else {
        words[0] = path;
        for (size_t i = 0; i < args->nword; i++)
            words[i + 1] = args->words[i];
        (void)execv(path, words);
        code = cli_fail(cli, EXIT_UNREACHABLE, "can't start %s: %s", path,
                        strerror(errno));
    }
    free(path);
    free(words);
    return code;
}
