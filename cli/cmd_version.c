/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/cli.h"

int
cmd_version(struct cli *cli, const struct args *args)
{
    struct buf out = {0};
    int code;

    (void)args;
    buf_text(&out, "leat " LEAT_VERSION "\n");
    code = cli_print(cli, &out, EXIT_OK);
    buf_release(&out);
    return code;
}
