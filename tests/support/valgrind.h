/* SPDX-License-Identifier: MPL-2.0 */
/*
 * valgrind - what its version 3.19 can't follow.
 *
 * A clone that fails breaks it; a child whose exec fails is ended by it, and
 * one that shares memory does not; pidfd_open, which forked calls take, it
 * does not know; and what ends by exit() in the midst has all it holds lost.
 */
#ifndef TESTS_SUPPORT_VALGRIND_H
#define TESTS_SUPPORT_VALGRIND_H

/* For the first line of a cmocka test of such things: valgrind skips it. */
void not_under_valgrind(void);

#endif
