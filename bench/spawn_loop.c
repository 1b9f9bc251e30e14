/* SPDX-License-Identifier: MPL-2.0 */
/*
 * spawn_loop - the floor that every executor stands on: posix_spawn and
 * waitpid, nothing else.
 *
 *     spawn_loop N [K] [PROGRAM [ARG]...]
 *
 * Runs PROGRAM (/bin/true) N times, K (1) at once, and prints runs a second.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
seconds(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
    static char program[] = "/bin/true";
    char *alone[] = {program, NULL};
    char **command = argc > 3 ? argv + 3 : alone;
    long n = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
    long k = argc > 2 ? strtol(argv[2], NULL, 10) : 1;
    long started = 0, ended = 0;
    double from = seconds();
    double span;

    while (ended < n) {
        int status;
        pid_t pid;

        if (started < n && started - ended < k) {
            if (posix_spawnp(&pid, command[0], NULL, NULL, command, environ)) {
                (void)fprintf(stderr, "can't start %s\n", command[0]);
                return 1;
            }
            started++;
            continue;
        }
        if (wait(&status) < 0 || status != 0)
            return 1;
        ended++;
    }
    span = seconds() - from;
    printf("%ld runs, %ld at once: %.0f/s, %.1f us each\n", n, k,
           (double)n / span, span * 1e6 / (double)n);
    return 0;
}
