/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"

static void
make_file(const char *name)
{
    int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    (void)close(fd);
}

static void
all_that_is_in_it_goes_and_nothing_else(void **state)
{
    char folder[] = "/tmp/test_folder-XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(mkdir("in", 0700), 0);
    assert_int_equal(mkdir("in/deep", 0700), 0);
    assert_int_equal(mkdir("out", 0700), 0);
    make_file("in/deep/file");
    make_file("out/file");
    assert_int_equal(symlink("../out", "in/link"), 0);

    folder_remove("in");
    assert_int_equal(access("in", F_OK), -1);
    assert_int_equal(access("out/file", F_OK), 0);
    folder_remove("in");
    folder_remove(NULL);
    folder_remove(folder);
    assert_int_equal(access(folder, F_OK), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_is_in_it_goes_and_nothing_else),
    };

    return cmocka_run_group_tests_name("folder", tests, NULL, NULL);
}
