/* SPDX-License-Identifier: MPL-2.0 */
/*
 * program - find what a command names, and say why it can't be run.
 */
#ifndef EXEC_PROGRAM_H
#define EXEC_PROGRAM_H

#include "base/err.h"

/* The value of a variable in an environment, or NULL. */
const char *program_env(const char *const *envp, const char *name);

/*
 * Look a command up as a shell would: as it is if there is a slash in it, else
 * in the PATH of envp. Relative paths start at cwd (NULL: here); *ret (the
 * caller's) is relative to it too. ERR_NOT_FOUND says where was looked.
 */
int program_find(const char *name, const char *const *envp, const char *cwd,
                 char **ret, struct err *err);

/*
 * Why execve of a program failed, from its errno and what is there: sets *err
 * and returns -1. ERR_UNAVAILABLE if the machine is short of something.
 */
int program_explain(int code, const char *path, const char *const *argv,
                    const char *const *envp, const char *cwd, struct err *err);

#endif
