/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Give a fuzzer's inputs to its function once more: each file named, and each
 * file in the folders named. So a corpus is a regression test with any
 * compiler.
 */
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "tests/fuzz/fuzz.h"

static int
replay(const char *path)
{
    struct buf input = {0};
    FILE *f = fopen(path, "rbe");
    size_t n;

    if (!f) {
        perror(path);
        return -1;
    }
    do {
        n = fread(buf_reserve(&input, BUFSIZ), 1, BUFSIZ, f);
        buf_added(&input, n);
    } while (n > 0);
    (void)fclose(f);
    (void)LLVMFuzzerTestOneInput((const uint8_t *)input.data, input.len);
    buf_release(&input);
    return 0;
}

int
main(int argc, char *argv[])
{
    FTS *tree = fts_open(argv + 1, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *entry;
    int ret = EXIT_SUCCESS;
    int n = 0;

    if (argc < 2 || !tree) {
        (void)fprintf(stderr, "usage: %s FILE|FOLDER...\n", argv[0]);
        return EXIT_FAILURE;
    }
    while ((entry = fts_read(tree))) {
        if (entry->fts_info == FTS_NS || entry->fts_info == FTS_DNR)
            ret = EXIT_FAILURE;
        if (entry->fts_info != FTS_F)
            continue;
        if (replay(entry->fts_path) < 0)
            ret = EXIT_FAILURE;
        n++;
    }
    (void)fts_close(tree);
    printf("%d inputs\n", n);
    return ret;
}
