/* SPDX-License-Identifier: MPL-2.0 */
#include "agent/slice.h"

#include <stdint.h>
#include <unistd.h>

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>

#define SHORTEST 100000 /* nanoseconds */

/*
 * When a command has ended its slot stands empty until the agent has run, for
 * less than the shortest slice. If all cores are taken by other commands, the
 * kernel lets who has the shorter slice go first.
 */
void
slice_shorten(void)
{
    struct sched_attr attr = {.size = sizeof attr};

    /* For what it starts a better place, given by people, would be lost. */
    if (syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0) < 0 ||
        attr.sched_policy != SCHED_NORMAL || attr.sched_nice < 0)
        return;
    attr.sched_flags = SCHED_FLAG_RESET_ON_FORK;
    attr.sched_runtime = SHORTEST;
    (void)syscall(SYS_sched_setattr, 0, &attr, 0);
}
