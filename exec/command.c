/* SPDX-License-Identifier: MPL-2.0 */
#include "exec/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "exec/environment.h"
#include "exec/program.h"
#include "flow/value.h"
#include "proto/limits.h"

#define INPUT  "LEAT_INPUT"
#define MARGIN 4096 /* of the environment, for the shell and LEAT_INPUT */

struct command {
    char **argv; /* NULL-terminated */
    size_t narg;
    size_t cap;
    struct environment env;
    char *cwd;
    struct buf input;
    bool has_input;
    char *input_file;  /* LEAT_INPUT; or NULL */
    char *script_file; /* or NULL */
};

/* ---- arguments ---- */

/* Takes the text over. */
static void
add_arg(struct command *self, char *text)
{
    self->argv =
        mem_grow(self->argv, &self->cap, self->narg + 2, sizeof *self->argv);
    self->argv[self->narg++] = text;
    self->argv[self->narg] = NULL;
}

static void
add_words(struct command *self, const char *words)
{
    while (*(words += strspn(words, " "))) {
        size_t n = strcspn(words, " ");

        add_arg(self, mem_text(words, n));
        words += n;
    }
}

static int
add_argv(struct command *self, const json_t *list, struct err *err)
{
    size_t i;
    json_t *value;

    json_array_foreach((json_t *)(uintptr_t)list, i, value) {
        struct buf text = {0};
        size_t len;

        value_text(value, &text);
        len = text.len;
        add_arg(self, buf_take(&text));
        if (len >= LIMIT_ENV_VALUE_BYTES)
            return err_set(err, ERR_LIMIT,
                           "argv: argument %zu has %zu bytes, and the kernel "
                           "takes less than %u in one: pass it by stdin, or "
                           "in the file that $" INPUT " names",
                           i, len, LIMIT_ENV_VALUE_BYTES);
        if (strlen(self->argv[self->narg - 1]) < len)
            return err_set(err, ERR_INVALID,
                           "argv: argument %zu has a NUL byte in it", i);
    }
    if (self->narg == 0)
        return err_set(err, ERR_INVALID, "argv: the list is empty");
    return 0;
}

/* ---- files ---- */

/* A file of its own for the command, in TMPDIR or /tmp. */
static int
write_file(const struct command *self, const char *text, size_t n, char **ret,
           struct err *err)
{
    const char *dir =
        program_env((const char *const *)self->env.list, "TMPDIR");
    char *path;
    int rc = -1;
    int fd;

    if (!dir || *dir != '/')
        dir = "/tmp";
    path = mem_printf("%s/leat-XXXXXX", dir);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        (void)err_system(err, "can't make a file in `%s`", dir);
        goto out;
    }
    while (n > 0) {
        ssize_t written = write(fd, text, n);

        if (written < 0 && errno != EINTR) {
            (void)err_system(err, "can't write to `%s`", path);
            (void)unlink(path);
            goto out;
        }
        text += written > 0 ? written : 0;
        n -= written > 0 ? (size_t)written : 0;
    }
    *ret = path;
    path = NULL;
    rc = 0;
out:
    if (fd >= 0)
        (void)close(fd);
    free(path);
    return rc;
}

static int
write_input(struct command *self, const json_t *bindings, struct err *err)
{
    struct buf text = {0};
    int rc;

    value_json(bindings, &text);
    buf_char(&text, '\n');
    rc = write_file(self, text.data, text.len, &self->input_file, err);
    buf_release(&text);
    if (rc == 0)
        environment_set(&self->env, INPUT, self->input_file,
                        strlen(self->input_file));
    return rc;
}

/* ---- the shell ---- */

static bool
has_bash(const struct command *self, const char *cwd)
{
    char *path = NULL;
    struct err none;
    int rc = program_find("bash", (const char *const *)self->env.list, cwd,
                          &path, &none);

    free(path);
    return rc == 0;
}

static int
add_script(struct command *self, const struct command_request *request,
           struct err *err)
{
    const char *shell = request->shell;
    size_t n = strlen(request->script);
    bool plain; /* takes -c SCRIPT, or the name of a file */

    if (!shell)
        shell = has_bash(self, request->cwd) ? "bash -euo pipefail" : "sh -eu";
    add_words(self, shell);
    if (self->narg == 0)
        return err_set(err, ERR_INVALID, "shell: there is no word in it");
    plain = !request->shell || self->narg == 1;
    if (n < LIMIT_ENV_VALUE_BYTES) {
        if (plain)
            add_arg(self, mem_dup("-c"));
        add_arg(self, mem_text(request->script, n));
        return 0;
    }
    if (!plain)
        return err_set(err, ERR_LIMIT,
                       "the script has %zu bytes, and `%s` takes less than "
                       "%u in one argument: put it into a file of its own",
                       n, shell, LIMIT_ENV_VALUE_BYTES);
    if (write_file(self, request->script, n, &self->script_file, err) < 0)
        return -1;
    add_arg(self, mem_dup(self->script_file));
    return 0;
}

/* ---- the environment ---- */

static bool
mentions_input(const struct command *self,
               const struct command_request *request)
{
    if (request->script)
        return strstr(request->script, INPUT) != NULL;
    for (size_t i = 0; i < self->narg; i++) {
        if (strstr(self->argv[i], INPUT))
            return true;
    }
    return false;
}

/* Whether the kernel takes a variable; `room` is what is left for all. */
static int
check_variable(const char *what, const char *name, const struct buf *value,
               size_t room, struct err *err)
{
    size_t n = strlen(name) + 1 + value->len;

    if (memchr(buf_str(value), '\0', value->len))
        return err_set(err, ERR_INVALID,
                       "%s`%s` has a NUL byte in it and can't be in the "
                       "environment: read it from the file that $" INPUT
                       " names",
                       what, name);
    if (n >= LIMIT_ENV_VALUE_BYTES)
        return err_set(err, ERR_LIMIT,
                       "%s`%s` has %zu bytes, and the kernel takes less than "
                       "%u in one environment variable: pass it by `stdin:`, "
                       "or read it from the file that $" INPUT " names",
                       what, name, value->len, LIMIT_ENV_VALUE_BYTES);
    if (environment_cost(n) > room)
        return err_set(err, ERR_LIMIT,
                       "%s`%s` with its %zu bytes makes arguments and "
                       "environment larger than %u bytes: pass large values "
                       "by `stdin:`, or read them from the file that $" INPUT
                       " names",
                       what, name, value->len, LIMIT_ENV_BYTES);
    return 0;
}

static size_t
room_left(const struct command *self, size_t reserved)
{
    size_t used = self->env.bytes + reserved;

    return used < LIMIT_ENV_BYTES ? LIMIT_ENV_BYTES - used : 0;
}

/* What must go into the environment besides env and bindings. */
static size_t
bytes_reserved(const struct command *self,
               const struct command_request *request)
{
    size_t n = MARGIN;

    for (size_t i = 0; i < self->narg; i++)
        n += environment_cost(strlen(self->argv[i]));
    for (const char *const *c = request->context; c && *c; c++)
        n += environment_cost(strlen(*c));
    if (request->script && strlen(request->script) < LIMIT_ENV_VALUE_BYTES)
        n += environment_cost(strlen(request->script));
    return n;
}

static int
add_env(struct command *self, const json_t *env, size_t reserved,
        struct err *err)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)env, name, value) {
        struct buf text = {0};
        int rc;

        value_text(value, &text);
        rc = check_variable("env: ", name, &text, room_left(self, reserved),
                            err);
        if (rc == 0)
            environment_set(&self->env, name, buf_str(&text), text.len);
        buf_release(&text);
        if (rc < 0)
            return -1;
    }
    return 0;
}

static void
set_binding(struct command *self, const char *name, const struct buf *text)
{
    char *variable = mem_dup(name);

    for (char *c = variable; *c; c++) {
        if (*c == '-')
            *c = '_';
    }
    environment_set(&self->env, variable, buf_str(text), text->len);
    free(variable);
}

static int
add_bindings(struct command *self, const json_t *bindings, size_t reserved,
             struct err *err)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)bindings, name, value) {
        struct buf text = {0};
        int rc;

        value_text(value, &text);
        rc = check_variable("", name, &text, room_left(self, reserved), err);
        if (rc == 0)
            set_binding(self, name, &text);
        buf_release(&text);
        if (rc < 0 && !self->input_file)
            return -1;
    }
    return 0;
}

static int
make_environment(struct command *self, const struct command_request *request,
                 struct err *err)
{
    size_t reserved = bytes_reserved(self, request);

    environment_inherit(&self->env, request->base);
    if (room_left(self, reserved) == 0)
        return err_set(err, ERR_LIMIT,
                       "the arguments and the surrounding environment have "
                       "%zu bytes, more than the %u that leat allows",
                       self->env.bytes + reserved, LIMIT_ENV_BYTES);
    if (add_env(self, request->env, reserved, err) < 0)
        return -1;
    if (mentions_input(self, request) &&
        write_input(self, request->bindings, err) < 0)
        return -1;
    if (add_bindings(self, request->bindings, reserved, err) < 0)
        return -1;
    for (const char *const *c = request->context; c && *c; c++)
        environment_put(&self->env, *c);
    return 0;
}

/* ---- the whole ---- */

static void
make_input(struct command *self, const json_t *value)
{
    self->has_input = true;
    value_text(value, &self->input);
    if (self->input.len > 0 && self->input.data[self->input.len - 1] != '\n')
        buf_char(&self->input, '\n');
}

int
command_new(struct command **ret, const struct command_request *request,
            struct err *err)
{
    struct command *self = mem_alloc(1, sizeof *self);
    int rc = -1;

    self->cwd = mem_dup(request->cwd);
    if (!request->script && add_argv(self, request->argv, err) < 0)
        goto out;
    if (make_environment(self, request, err) < 0)
        goto out;
    if (request->script && add_script(self, request, err) < 0)
        goto out;
    if (request->input)
        make_input(self, request->input);
    *ret = self;
    self = NULL;
    rc = 0;
out:
    command_destroy(&self);
    return rc;
}

static void
remove_file(char *path)
{
    if (path)
        (void)unlink(path);
    free(path);
}

void
command_destroy(struct command **self_p)
{
    struct command *self = *self_p;

    if (!self)
        return;
    remove_file(self->input_file);
    remove_file(self->script_file);
    for (size_t i = 0; i < self->narg; i++)
        free(self->argv[i]);
    free(self->argv);
    environment_release(&self->env);
    buf_release(&self->input);
    free(self->cwd);
    free(self);
    *self_p = NULL;
}

void
command_spec(const struct command *self, struct exec_spec *spec)
{
    spec->argv = (const char *const *)self->argv;
    spec->envp = (const char *const *)self->env.list;
    spec->cwd = self->cwd;
    spec->input = self->has_input ? buf_str(&self->input) : NULL;
    spec->ninput = self->input.len;
}
