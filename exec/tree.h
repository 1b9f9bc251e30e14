/* SPDX-License-Identifier: MPL-2.0 */
/*
 * tree - all processes of one attempt, wherever they have gone.
 *
 * A process belongs to the tree if it has the tree's mark, is in its session,
 * or its parent belongs. The mark is the soft limit RLIMIT_RTTIME, a number of
 * centuries that nothing else uses: every child inherits it, through fork,
 * setsid and exec with an empty environment, so a daemon has it that was
 * handed over to us (the subreaper) long after its parents had gone, and a
 * child of the caller's own has it not.
 */
#ifndef EXEC_TREE_H
#define EXEC_TREE_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "exec/exec.h"

struct tree {
    pid_t main;  /* the first process, leader of the session */
    rlim_t mark; /* 0: none */
    bool reaped; /* main was waited for */
};

/* Marks to be had; each one higher is another. 0: none on this machine. */
rlim_t tree_first_mark(void);

/* Has this process no children at all? Cheap. */
bool tree_is_childless(void);

/*
 * The same while other attempts run: how many children the main thread has, as
 * the kernel lists them, ended ones included. Cheap as long as there are not
 * hundreds. It is the main thread that gets all orphans, but other threads have
 * children of their own: -1 is returned to these, and where the kernel has no
 * such list (CONFIG_PROC_CHILDREN).
 */
int tree_open_children(void);
size_t tree_count_children(int fd); /* SIZE_MAX: not known */

/*
 * The marks of all processes there are, for a quick answer to who is left
 * while other attempts run.
 */
struct tree_marks {
    rlim_t *list;
    size_t n;
    size_t cap;
};

/* Only marks that come from tree_first_mark's `like`. False without /proc. */
bool tree_marks_read(struct tree_marks *self, rlim_t like);
bool tree_marks_has(const struct tree_marks *self, rlim_t mark);
void tree_marks_release(struct tree_marks *self);

/* Is there an ended child, of whatever tree, to be waited for? Cheap. */
bool tree_has_ended_child(void);

/* What a sweep came upon. */
struct tree_found {
    unsigned alive;
    unsigned reaped;
    pid_t one; /* of those alive; 0: none */
};

/*
 * Look through all processes of the machine: reap what has ended of the tree
 * (but main), adding to usage, and send `sig` to the others (0: nothing). The
 * tree is gone only if nothing at all was found: what was reaped may have left
 * children after the list of processes was made.
 */
struct tree_found tree_sweep(const struct tree *self, int sig,
                             struct exec_usage *usage);

/* Count what a reaped process has used. */
void tree_count(struct exec_usage *usage, const struct rusage *used);

#endif
