/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/term.h"
#include "proto/limits.h"

const char *
file_name(const char *name)
{
    return strcmp(name, "-") == 0 ? "standard input" : name;
}

static int
fail(const char *what, const char *name, struct err *err)
{
    int saved = errno;

    (void)err_system(err, "can't %s %s", what, name);
    if (saved == ENOENT || saved == ENOTDIR)
        err->code = ERR_NOT_FOUND;
    if (saved == EACCES || saved == EPERM)
        err->code = ERR_DENIED;
    return -1;
}

static int
read_all(int fd, const char *name, struct buf *out, struct err *err)
{
    for (;;) {
        ssize_t n = read(fd, buf_reserve(out, 64u << 10), 64u << 10);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail("read", name, err);
        if (n == 0)
            return 0;
        buf_added(out, (size_t)n);
        if (out->len > LIMIT_FILE_BYTES)
            return err_set(err, ERR_LIMIT,
                           "%s is larger than the %u MiB a file may have", name,
                           LIMIT_FILE_BYTES >> 20);
    }
}

int
file_read(const char *name, char **text, size_t *len, struct err *err)
{
    bool standard = strcmp(name, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    struct buf out = {0};
    int rc;

    if (fd < 0)
        return fail("read", name, err);
    rc = read_all(fd, file_name(name), &out, err);
    if (!standard)
        (void)close(fd);
    if (rc == 0) {
        *len = out.len;
        *text = buf_take(&out);
    }
    buf_release(&out);
    return rc;
}

int
file_write(const char *name, const char *text, size_t len, struct err *err)
{
    struct buf all = {0};
    struct term to = {
        .fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)};
    int rc = -1;

    if (to.fd < 0)
        return fail("write", name, err);
    buf_add(&all, text, len);
    if (term_write(&to, &all) == 0 && close(to.fd) == 0)
        rc = 0;
    else
        (void)fail("write", name, err);
    buf_release(&all);
    return rc;
}
