/* SPDX-License-Identifier: MPL-2.0 */
#include "exec/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/mem.h"

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

const char *
program_env(const char *const *envp, const char *name)
{
    size_t n = strlen(name);

    for (; *envp; envp++) {
        if (strncmp(*envp, name, n) == 0 && (*envp)[n] == '=')
            return *envp + n + 1;
    }
    return NULL;
}

/* Where a path that is relative to cwd is, seen from here. */
static char *
seen_from_here(const char *path, const char *cwd)
{
    if (path[0] == '/' || !cwd)
        return mem_dup(path);
    return mem_printf("%s/%s", cwd, path);
}

enum found { FOUND_NOTHING, FOUND_FILE, FOUND_PROGRAM };

static enum found
look_at(const char *path, const char *cwd)
{
    char *here = seen_from_here(path, cwd);
    enum found found = FOUND_NOTHING;
    struct stat st;

    if (faccessat(AT_FDCWD, here, X_OK, AT_EACCESS) == 0)
        found = FOUND_PROGRAM;
    else if (errno == EACCES)
        found = FOUND_FILE;
    if (found != FOUND_NOTHING && (stat(here, &st) < 0 || S_ISDIR(st.st_mode)))
        found = FOUND_NOTHING;
    free(here);
    return found;
}

/* The next directory of a PATH; an empty one is the current directory. */
static char *
next_candidate(const char **path, const char *name)
{
    size_t n = strcspn(*path, ":");
    char *candidate;

    if (n == 0)
        candidate = mem_printf("./%s", name);
    else
        candidate = mem_printf("%.*s/%s", (int)n, *path, name);
    *path = (*path)[n] == ':' ? *path + n + 1 : NULL;
    return candidate;
}

int
program_find(const char *name, const char *const *envp, const char *cwd,
             char **ret, struct err *err)
{
    const char *path = program_env(envp, "PATH");
    const char *rest;
    char *blocked = NULL;

    if (name[0] == '\0')
        return err_set(err, ERR_INVALID, "the name of the command is empty");
    if (strchr(name, '/')) {
        *ret = mem_dup(name);
        return 0;
    }
    if (!path)
        path = DEFAULT_PATH;
    for (rest = path; rest;) {
        char *candidate = next_candidate(&rest, name);
        enum found found = look_at(candidate, cwd);

        if (found == FOUND_PROGRAM) {
            free(blocked);
            *ret = candidate;
            return 0;
        }
        if (found == FOUND_FILE && !blocked)
            blocked = candidate;
        else
            free(candidate);
    }
    if (blocked)
        (void)err_set(err, ERR_NOT_FOUND, "`%s` is not executable", blocked);
    else
        (void)err_set(err, ERR_NOT_FOUND,
                      "command `%s` not found in PATH (%.300s)", name, path);
    free(blocked);
    return -1;
}

static size_t
bytes_of(const char *const *list)
{
    size_t n = sizeof *list;

    for (; *list; list++)
        n += strlen(*list) + 1 + sizeof *list;
    return n;
}

/* ENOENT may also mean the interpreter of a script, or a program's loader. */
static int
explain_missing(const char *path, const char *cwd, struct err *err)
{
    char *here = seen_from_here(path, cwd);
    bool there = access(here, F_OK) == 0;

    free(here);
    if (there)
        return err_set(err, ERR_NOT_FOUND,
                       "can't run `%s`: the interpreter that it names (in its "
                       "#! line, if it is a script) does not exist",
                       path);
    return err_set(err, ERR_NOT_FOUND, "`%s`: no such file", path);
}

static int
explain_denied(const char *path, const char *cwd, struct err *err)
{
    char *here = seen_from_here(path, cwd);
    struct stat st;
    int rc = stat(here, &st);

    free(here);
    if (rc == 0 && S_ISDIR(st.st_mode))
        return err_set(err, ERR_DENIED, "`%s` is a directory", path);
    if (rc == 0 && (st.st_mode & 0111) == 0)
        return err_set(err, ERR_DENIED, "`%s` is not executable", path);
    return err_set(err, ERR_DENIED, "can't run `%s`: permission denied", path);
}

/* The kind of machine that an ELF file is for; -1: it is none. */
static int
elf_machine(const char *file)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    Elf64_Ehdr head; /* the beginning is that of 32 bits, too */
    ssize_t n = fd < 0 ? -1 : read(fd, &head, sizeof head);

    if (fd >= 0)
        (void)close(fd);
    if (n < (ssize_t)offsetof(Elf64_Ehdr, e_version) ||
        memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
        return -1;
    return head.e_machine;
}

static int
explain_format(const char *path, const char *cwd, struct err *err)
{
    char *here = seen_from_here(path, cwd);
    int machine = elf_machine(here);
    struct utsname uts;

    free(here);
    if (machine < 0)
        return err_set(err, ERR_INVALID,
                       "can't run `%s`: Exec format error; is the #! line "
                       "missing?",
                       path);
    if (machine == elf_machine("/proc/self/exe") || uname(&uts) < 0)
        return err_set(err, ERR_INVALID,
                       "can't run `%s`: Exec format error; is it damaged?",
                       path);
    return err_set(err, ERR_INVALID,
                   "can't run `%s`: it was built for another kind of machine "
                   "(%d in its ELF header) than this %s",
                   path, machine, uts.machine);
}

int
program_explain(int code, const char *path, const char *const *argv,
                const char *const *envp, const char *cwd, struct err *err)
{
    errno = code;
    if (code == ENOENT || code == ENOTDIR)
        return explain_missing(path, cwd, err);
    if (code == EACCES)
        return explain_denied(path, cwd, err);
    if (code == ENOEXEC)
        return explain_format(path, cwd, err);
    if (code == E2BIG)
        return err_set(err, ERR_LIMIT,
                       "can't run `%s`: %zu bytes of arguments and %zu of "
                       "environment are more than the kernel takes; give "
                       "large values through stdin or a file",
                       path, bytes_of(argv), bytes_of(envp));
    (void)err_system(err, "can't run `%s`", path);
    if (code == EAGAIN || code == ENOMEM || code == EMFILE || code == ENFILE)
        err->code = ERR_UNAVAILABLE;
    return -1;
}
