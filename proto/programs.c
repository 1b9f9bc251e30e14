/* SPDX-License-Identifier: MPL-2.0 */
#include "proto/programs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"
#include "proto/limits.h"

#define HEX    (2 * PROGRAM_HASH)
#define PIECE  ((size_t)256 << 10)
#define RECENT (60 * SPAN_SECOND)

char *
programs_path(const char *folder, const unsigned char hash[PROGRAM_HASH])
{
    char hex[HEX + 1];

    (void)sodium_bin2hex(hex, sizeof hex, hash, PROGRAM_HASH);
    return mem_printf("%s/%s", folder, hex);
}

int
programs_hash(int fd, unsigned char ret[PROGRAM_HASH])
{
    crypto_generichash_state state;
    unsigned char *piece = mem_alloc(PIECE, 1);
    off_t at = 0;
    ssize_t n;

    (void)crypto_generichash_init(&state, NULL, 0, PROGRAM_HASH);
    while ((n = pread(fd, piece, PIECE, at)) > 0 || (n < 0 && errno == EINTR)) {
        if (n < 0)
            continue;
        (void)crypto_generichash_update(&state, piece, (size_t)n);
        at += n;
    }
    (void)crypto_generichash_final(&state, ret, PROGRAM_HASH);
    free(piece);
    return n < 0 ? -1 : 0;
}

/* ---- room ---- */

struct kept {
    char *name;
    int64_t used;
    uint64_t bytes;
};

static int
compare_used(const void *a, const void *b)
{
    const struct kept *one = a;
    const struct kept *two = b;

    return (one->used > two->used) - (one->used < two->used);
}

/* All that is kept, those not used for the longest first. */
static struct kept *
list_kept(DIR *dir, size_t *n, uint64_t *bytes)
{
    const struct dirent *entry;
    struct kept *list = NULL;
    size_t cap = 0;
    struct stat st;

    while ((entry = readdir(dir))) {
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode))
            continue;
        list = mem_grow(list, &cap, *n + 1, sizeof *list);
        list[(*n)++] = (struct kept){mem_dup(entry->d_name),
                                     st.st_mtim.tv_sec * SPAN_SECOND +
                                         st.st_mtim.tv_nsec / 1000,
                                     (uint64_t)st.st_size};
        *bytes += (uint64_t)st.st_size;
    }
    if (list)
        qsort(list, *n, sizeof *list, compare_used);
    return list;
}

/* Also a part of it that is on its way. */
static bool
is_needed(const char *name, const unsigned char *needed, size_t nneeded)
{
    char hex[HEX + 1];

    for (size_t i = 0; i < nneeded; i++) {
        (void)sodium_bin2hex(hex, sizeof hex, needed + i * PROGRAM_HASH,
                             PROGRAM_HASH);
        if (strncmp(name, hex, HEX) == 0)
            return true;
    }
    return false;
}

bool
programs_make_room(const char *folder, uint64_t bytes,
                   const unsigned char *needed, size_t nneeded)
{
    DIR *dir = opendir(folder);
    int64_t recent = span_wall() - RECENT;
    struct kept *list;
    size_t n = 0;

    if (!dir)
        return bytes <= LIMIT_PROGRAMS_BYTES;
    list = list_kept(dir, &n, &bytes);
    for (size_t i = 0; i < n; i++) {
        /* What has gone meanwhile is no error. */
        if (bytes > LIMIT_PROGRAMS_BYTES && list[i].used < recent &&
            !is_needed(list[i].name, needed, nneeded) &&
            (unlinkat(dirfd(dir), list[i].name, 0) == 0 || errno == ENOENT))
            bytes -= list[i].bytes;
        free(list[i].name);
    }
    free(list);
    (void)closedir(dir);
    return bytes <= LIMIT_PROGRAMS_BYTES;
}
