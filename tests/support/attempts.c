/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/attempts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "proto/limits.h"

const char *const plain_env[] = {"PATH=/usr/bin:/bin", NULL};

static void
see(void *ctx, void *tag, enum exec_stream stream, const char *data, size_t n)
{
    struct attempts *self = ctx;

    (void)tag;
    self->nseen += n;
    if (!self->forget)
        buf_add(&self->seen[stream], data, n);
}

int
attempts_setup(void **state)
{
    struct attempts *self = mem_alloc(1, sizeof *self);
    struct err err;

    *state = self;
    return exec_new(&self->exec, see, self, &err);
}

int
attempts_teardown(void **state)
{
    struct attempts *self = *state;
    int rc;

    exec_destroy(&self->exec);
    rc = waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD ? 0 : -1;
    for (int i = 0; i < EXEC_STREAM_COUNT; i++)
        buf_release(&self->seen[i]);
    free(self);
    return rc;
}

void
attempts_start(struct attempts *self, struct exec_spec spec)
{
    struct err err = {0};

    if (!spec.envp)
        spec.envp = plain_env;
    if (spec.grace == 0)
        spec.grace = LIMIT_GRACE_MS * SPAN_MS;
    if (exec_start(self->exec, &spec, &err) < 0)
        fail_msg("%s", err.msg);
}

struct exec_done
attempts_wait(struct attempts *self)
{
    int64_t until = span_mono() + PATIENCE;
    struct exec_done done = {0};

    while (exec_wait(self->exec, SPAN_SECOND, &done) == 0) {
        if (span_mono() > until)
            fail_msg("nothing has ended");
    }
    return done;
}

struct exec_done
attempts_run(struct attempts *self, struct exec_spec spec)
{
    attempts_start(self, spec);
    return attempts_wait(self);
}

struct exec_done
attempts_shell(struct attempts *self, const char *script)
{
    return attempts_run(self, (struct exec_spec){.argv = SHELL(script)});
}

void
attempts_expect(struct attempts *self, struct exec_spec spec, const char *out)
{
    struct exec_done done;

    spec.keep_stdout = true;
    done = attempts_run(self, spec);
    assert_string_equal(buf_str(&done.errors), "");
    assert_string_equal(buf_str(&done.out), out);
    assert_string_equal(done.text, "exit code 0");
    exec_done_release(&done);
}

void
attempts_wait_for(struct attempts *self, const char *text)
{
    int64_t until = span_mono() + PATIENCE;
    struct exec_done done = {0};

    while (!strstr(buf_str(&self->seen[EXEC_STDOUT]), text)) {
        if (exec_wait(self->exec, 10 * SPAN_MS, &done) != 0)
            fail_msg("it has ended: %s", done.text);
        if (span_mono() > until)
            fail_msg("`%s` was never written", text);
    }
}

static bool
has_word(const char *pid, const char *word)
{
    char path[300], line[4096];
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%s/cmdline", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? 0 : read(fd, line, sizeof line);
    if (fd >= 0)
        (void)close(fd);
    return n > 0 && memmem(line, (size_t)n, word, strlen(word)) != NULL;
}

unsigned
attempts_count(const char *word)
{
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    unsigned n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
            n += has_word(entry->d_name, word);
    }
    (void)closedir(dir);
    return n;
}
