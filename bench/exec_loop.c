/* SPDX-License-Identifier: MPL-2.0 */
/*
 * exec_loop - what an attempt costs: as spawn_loop, but through exec/.
 *
 *     exec_loop N [K] [PROGRAM [ARG]...]
 *
 * Runs PROGRAM (/bin/true) N times, K (1) at once, and prints runs a second.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/span.h"
#include "exec/exec.h"

/* Wait for one to end; false if it has failed. */
static bool
wait_for_one(struct exec *exec)
{
    struct exec_done done = {0};
    bool right;

    while (exec_wait(exec, -1, &done) == 0)
        continue;
    right = done.end == EXEC_EXITED && done.code == 0;
    if (!right)
        (void)fprintf(stderr, "%s\n", done.text);
    exec_done_release(&done);
    return right;
}

/* False if one could not be started, or has failed. */
static bool
run_all(struct exec *exec, const struct exec_spec *spec, size_t n, size_t k)
{
    struct err err;

    for (size_t started = 0; started < n || exec_running(exec) > 0;) {
        if (started == n || exec_running(exec) == k) {
            if (!wait_for_one(exec))
                return false;
            continue;
        }
        if (exec_start(exec, spec, &err) < 0) {
            (void)fprintf(stderr, "%s\n", err.msg);
            return false;
        }
        started++;
    }
    return true;
}

int
main(int argc, char **argv)
{
    static const char *const alone[] = {"/bin/true", NULL};
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    size_t k = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    struct exec_spec spec = {
        .argv = argc > 3 ? (const char *const *)argv + 3 : alone,
        .envp = (const char *const *)environ,
    };
    int64_t from = span_mono();
    struct exec *exec = NULL;
    struct err err;
    int64_t span;
    bool right;

    if (exec_new(&exec, NULL, NULL, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    right = run_all(exec, &spec, n, k);
    exec_destroy(&exec);
    span = span_mono() - from;
    if (right)
        printf("%zu runs, %zu at once: %.0f/s, %.1f us each\n", n, k,
               (double)n * SPAN_SECOND / (double)span,
               (double)span / (double)n);
    return right ? 0 : 1;
}
