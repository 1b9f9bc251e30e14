/* SPDX-License-Identifier: MPL-2.0 */
#include "base/folder.h"

#include <ftw.h>
#include <stdio.h>

#define OPEN 16 /* descriptors at once, at most */

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    (void)remove(path);
    return 0;
}

void
folder_remove(const char *path)
{
    if (path)
        (void)nftw(path, remove_one, OPEN, FTW_DEPTH | FTW_PHYS);
}
