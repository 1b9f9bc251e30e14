/* SPDX-License-Identifier: MPL-2.0 */
/*
 * signals - Ctrl-C and its like, while a run goes on.
 *
 * The first cancels the run, the second kills what is left of it. Each is a
 * byte in a pipe that the executor reads. A C function in this process can't be
 * ended from outside: the second then ends the program at once, and the store
 * shows the run as interrupted.
 *
 * SIGUSR1, which `leat cancel --now` sends, is both at once.
 *
 * Who only looks on is left by the first, and ended by the second.
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include "base/err.h"
#include "cli/term.h"

/*
 * From now on: signals are bytes to be read from *fd. What is said about them
 * goes to `term`; NULL: for who only looks on. One at a time in a process.
 */
int signals_begin(const struct term *term, int *fd, struct err *err);
/* The signal that came first, or 0. */
int signals_first(void);
/* As it was before. */
void signals_end(void);

#endif
