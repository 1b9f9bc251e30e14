/* SPDX-License-Identifier: MPL-2.0 */
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/carry.h"
#include "cli/words.h"
#include "store/store.h"

#define LOOK_MS 100

/* Wait for one run; what it has come to as an exit code. */
static int
wait_for(const struct cli *cli, struct store *store, uint64_t run, bool quiet)
{
    enum store_run_state state;

    for (;;) {
        struct store_run info = {0};
        struct err err;

        if (store_run_get(store, run, false, &info, &err) < 0)
            return cli_error(cli, &err);
        state = info.state;
        store_run_release(&info);
        if (state != STORE_RUNNING)
            break;
        (void)poll(NULL, 0, LOOK_MS);
    }
    if (!quiet)
        (void)cli_fail(cli, EXIT_OK, "run %" PRIu64 " %s", run,
                       words_run(state));
    return carry_exit(state);
}

int
cmd_wait(struct cli *cli, const struct args *args)
{
    uint64_t *runs = mem_alloc(args->nword, sizeof *runs);
    struct store *store = NULL;
    int code = EXIT_OK;
    struct err err;

    if (store_open(&store, cli->config.store, STORE_READ, &err) < 0) {
        code = err.code == ERR_NOT_FOUND ? EXIT_NOT_FOUND : EXIT_UNREACHABLE;
        (void)cli_fail(cli, code, "%s", err.msg);
    }
    /* `last` is what it is now, whatever starts meanwhile. */
    for (size_t i = 0; i < args->nword && code == EXIT_OK; i++) {
        if (store_find(store, args->words[i], &runs[i], &err) < 0)
            code = cli_error(cli, &err);
    }
    if (code == EXIT_OK) {
        for (size_t i = 0; i < args->nword; i++) {
            int one = wait_for(cli, store, runs[i], args_has(args, OPT_QUIET));

            code = code == EXIT_OK ? one : code;
        }
    }
    store_close(&store);
    free(runs);
    return code;
}
