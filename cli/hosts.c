/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "proto/limits.h"

void
hosts_release(struct hosts *self)
{
    for (size_t i = 0; i < self->n; i++)
        free(self->list[i]);
    free(self->list);
    *self = (struct hosts){0};
}

int
hosts_add(struct hosts *self, const char *host, struct err *err)
{
    if (host[0] == '\0' || host[0] == '-' || host[strcspn(host, " \t\n")])
        return err_set(err, ERR_INVALID, "\"%s\" can't be a host's name", host);
    for (size_t i = 0; i < self->n; i++) {
        if (strcmp(self->list[i], host) == 0)
            return 0;
    }
    if (self->n == LIMIT_HOSTS)
        return err_set(err, ERR_LIMIT, "at most %u hosts at once", LIMIT_HOSTS);
    self->list =
        mem_grow(self->list, &self->cap, self->n + 1, sizeof *self->list);
    self->list[self->n++] = mem_dup(host);
    return 0;
}

/* The first word of a line, or NULL if it has none. */
static char *
first_word(char *line)
{
    char *word = line + strspn(line, " \t");

    word[strcspn(word, " \t\r\n#")] = '\0';
    return word[0] ? word : NULL;
}

int
hosts_read(struct hosts *self, const char *file, struct err *err)
{
    FILE *in = fopen(file, "re");
    char *line = NULL;
    size_t cap = 0;
    unsigned number = 0;
    int rc = 0;

    if (!in)
        return err_set(err, ERR_NOT_FOUND, "can't read %s: %s", file,
                       strerror(errno));
    while (rc == 0 && getline(&line, &cap, in) > 0) {
        char *word = first_word(line);

        number++;
        if (word && (rc = hosts_add(self, word, err)) < 0)
            (void)err_prefix(err, "%s:%u: ", file, number);
    }
    free(line);
    (void)fclose(in);
    return rc;
}

/* ---- what is remembered ---- */

static char *
state_file(void)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");

    if (state && state[0] == '/')
        return mem_printf("%s/leat/hosts", state);
    return mem_printf("%s/.local/state/leat/hosts", home ? home : "");
}

/* "ADDRESS HOST\n" is of this broker: its host, else NULL. */
static char *
host_of(char *line, const char *broker)
{
    size_t n = strlen(broker);

    line[strcspn(line, "\n")] = '\0';
    return strncmp(line, broker, n) == 0 && line[n] == ' ' ? line + n + 1
                                                           : NULL;
}

void
hosts_recall(struct hosts *self, const char *broker)
{
    char *file = state_file();
    FILE *in = fopen(file, "re");
    char *line = NULL;
    size_t cap = 0;
    struct err err;

    while (in && getline(&line, &cap, in) > 0) {
        const char *host = host_of(line, broker);

        if (host)
            (void)hosts_add(self, host, &err);
    }
    free(line);
    free(file);
    if (in)
        (void)fclose(in);
}

/* All lines but those of these hosts of a broker. */
static void
copy_others(const char *file, const char *broker, const struct hosts *hosts,
            struct buf *out)
{
    FILE *in = fopen(file, "re");
    char *line = NULL;
    size_t cap = 0;

    while (in && getline(&line, &cap, in) > 0) {
        const char *host = host_of(line, broker);
        size_t i = 0;

        while (host && i < hosts->n && strcmp(hosts->list[i], host) != 0)
            i++;
        if (!host || i == hosts->n)
            buf_printf(out, "%s\n", line);
    }
    free(line);
    if (in)
        (void)fclose(in);
}

static void
make_folder(const char *file)
{
    char *path = mem_dup(file);

    for (char *at = path + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        (void)mkdir(path, 0700);
        *at = '/';
    }
    free(path);
}

/* Written whole beside it and put in its place. */
static int
replace(const char *file, const struct buf *text, struct err *err)
{
    char *beside = mem_printf("%s.%d", file, (int)getpid());
    FILE *out = fopen(beside, "we");
    bool written = out && fwrite(buf_str(text), 1, text->len, out) == text->len;
    int rc = 0;

    written = out && fclose(out) == 0 && written;
    if (!written || rename(beside, file) < 0) {
        rc = err_system(err, "can't write %s", file);
        (void)unlink(beside);
    }
    free(beside);
    return rc;
}

/* Others wait until it is closed. */
static int
lock(const char *file)
{
    char *path = mem_printf("%s.lock", file);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd >= 0)
        (void)flock(fd, LOCK_EX);
    free(path);
    return fd;
}

int
hosts_remember(const char *broker, const struct hosts *self, const bool *known,
               struct err *err)
{
    char *file = state_file();
    struct buf text = {0};
    int guard;
    int rc;

    make_folder(file);
    guard = lock(file);
    copy_others(file, broker, self, &text);
    for (size_t i = 0; i < self->n; i++) {
        if (known[i])
            buf_printf(&text, "%s %s\n", broker, self->list[i]);
    }
    rc = replace(file, &text, err);
    if (guard >= 0)
        (void)close(guard);
    buf_release(&text);
    free(file);
    return rc;
}
