/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/carry.h"

int
cmd_run(struct cli *cli, const struct args *args)
{
    struct input input = {0};
    struct carry carry = {
        .cli = cli, .args = args, .input = &input, .from = PLAN_NONE};
    int code = input_flow(&input, cli, cli->build ? NULL : args->words[0]);

    if (code == EXIT_OK)
        code = input_params(&input, cli, args);
    if (code == EXIT_OK)
        code = carry_out(&carry);
    input_release(&input);
    return code;
}
