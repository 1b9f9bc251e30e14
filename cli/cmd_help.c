/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/cli.h"

int
cmd_help(struct cli *cli, const struct args *args)
{
    return cli_show_help(cli, args->nword > 0 ? args->words[0] : NULL);
}
