/* SPDX-License-Identifier: MPL-2.0 */
/* Call a function that does nothing n times: what no engine can beat. */
#include <stdlib.h>

static void *
noop(void *task)
{
    return task;
}

int
main(int argc, char **argv)
{
    void *(*volatile fn)(void *) = noop;
    long n = argc > 1 ? strtol(argv[1], NULL, 10) : 0;

    for (long i = 0; i < n; i++)
        (void)fn(NULL);
    return 0;
}
