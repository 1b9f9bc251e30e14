/* SPDX-License-Identifier: MPL-2.0 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/span.h"
#include "cli/carry.h"
#include "cli/which.h"
#include "cli/words.h"

#define HOUR (3600 * SPAN_SECOND)

/* Wait for one run; what it has come to as an exit code. */
static int
wait_for(const struct cli *cli, struct runs *runs, uint64_t run, bool quiet)
{
    enum store_run_state state;

    for (;;) {
        struct store_run info = {0};
        struct err err;

        if (runs_wait(runs, run, false, 0, HOUR, &err) < 0 ||
            runs_get(runs, run, false, &info, &err) < 0)
            return cli_error(cli, &err);
        state = info.state;
        store_run_release(&info);
        if (state != STORE_RUNNING)
            break;
    }
    if (!quiet)
        (void)cli_fail(cli, EXIT_OK, "run %" PRIu64 " %s", run,
                       words_run(state));
    return carry_exit(state);
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
