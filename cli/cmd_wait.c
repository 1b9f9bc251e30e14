/* SPDX-License-Identifier: MPL-2.0 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/span.h"
#include "cli/carry.h"
#include "cli/which.h"
#include "cli/words.h"

#define HOUR (3600 * SPAN_SECOND)

static void
tell(const struct cli *cli, const struct store_run *info)
{
    const char *problem = store_run_problem(info);

    (void)cli_fail(cli, EXIT_OK, "run %" PRIu64 " %s%s%s", info->id,
                   words_run(info->state), problem ? ": " : "",
                   problem ? problem : "");
}

/* Wait for one run; what it has come to as an exit code. */
static int
wait_for(const struct cli *cli, struct runs *runs, uint64_t run, bool quiet)
{
    struct store_run info = {.state = STORE_RUNNING};
    struct err err;
    int code;

    while (info.state == STORE_RUNNING) {
        store_run_release(&info);
        if (runs_wait(runs, run, false, 0, HOUR, &err) < 0 ||
            runs_get(runs, run, false, &info, &err) < 0)
            return cli_error(cli, &err);
    }
    if (!quiet)
        tell(cli, &info);
    code = carry_exit(info.state, store_run_timed_out(&info));
    store_run_release(&info);
    return code;
}

int
cmd_wait(struct cli *cli, const struct args *args)
{
    uint64_t *ids = mem_alloc(args->nword, sizeof *ids);
    struct runs *runs = NULL;
    int code = which_open(cli, STORE_READ, &runs);
    struct err err;

    /* `last` is what it is now, whatever starts meanwhile. */
    for (size_t i = 0; i < args->nword && code == EXIT_OK; i++) {
        if (runs_find(runs, args->words[i], &ids[i], &err) < 0)
            code = cli_error(cli, &err);
    }
    if (code == EXIT_OK) {
        for (size_t i = 0; i < args->nword; i++) {
            int one = wait_for(cli, runs, ids[i], args_has(args, OPT_QUIET));

            code = code == EXIT_OK ? one : code;
        }
    }
    runs_close(&runs);
    free(ids);
    return code;
}
