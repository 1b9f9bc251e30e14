/* SPDX-License-Identifier: MPL-2.0 */
/*
 * ending - how an attempt has ended, in words.
 */
#ifndef EXEC_ENDING_H
#define EXEC_ENDING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "exec/exec.h"

struct ending {
    int status;      /* of the main process, from wait4 */
    bool lost;       /* the status is not known */
    int64_t timeout; /* the attempt's, microseconds */
    pid_t immortal;  /* a process that could not be killed, or 0 */
};

/* Complete end, code, core and text; NOT_STARTED has its text already. */
void ending_tell(const struct ending *self, struct exec_done *done);

#endif
