/* SPDX-License-Identifier: MPL-2.0 */
/*
 * there_script - what is run on a host, for any POSIX shell on Linux.
 *
 * An agent there is known by its broker and the host's own name, so that hosts
 * that share a home folder have one each. Its pid and what it logs are in
 * ~/.local/state/leat, a program that was brought in ~/.cache/leat/bin.
 */
#ifndef CLI_THERE_SCRIPT_H
#define CLI_THERE_SCRIPT_H

#include "base/buf.h"

/* The three are for `sh -s`, broker as agents there reach it. */
void there_script_start(struct buf *out, const char *broker,
                        const char *words); /* quoted, of its command line */
void there_script_stop(struct buf *out, const char *broker);
void there_script_ls(struct buf *out, const char *broker);

/* The command line that takes leat-agent from standard input, unless it is
 * installed there; for a machine as this one. */
void there_script_copy(struct buf *out);

#endif
