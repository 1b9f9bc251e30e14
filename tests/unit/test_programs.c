/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "proto/limits.h"
#include "proto/programs.h"

#define COUNT 4 /* programs of a third of the room each, the last too many */
#define SIZE  ((uint64_t)LIMIT_PROGRAMS_BYTES / 3)
#define HOUR  3600

struct shelf {
    char folder[32];
    unsigned char hashes[COUNT][PROGRAM_HASH];
    char *paths[COUNT];
};

/* Holes: they take no room on the disk. The first is the one used last. */
static int
set_up(void **state)
{
    struct shelf *shelf = mem_alloc(1, sizeof *shelf);

    (void)snprintf(shelf->folder, sizeof shelf->folder,
                   "/tmp/leat-programs-XXXXXX");
    assert_non_null(mkdtemp(shelf->folder));
    for (int i = 0; i < COUNT; i++) {
        struct timespec used[2] = {{.tv_sec = time(NULL) - (i + 1) * HOUR},
                                   {.tv_sec = time(NULL) - (i + 1) * HOUR}};
        int fd;

        memset(shelf->hashes[i], i + 1, PROGRAM_HASH);
        shelf->paths[i] = programs_path(shelf->folder, shelf->hashes[i]);
        fd = open(shelf->paths[i], O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, (off_t)SIZE), 0);
        assert_int_equal(futimens(fd, used), 0);
        (void)close(fd);
    }
    *state = shelf;
    return 0;
}

static int
tear_down(void **state)
{
    struct shelf *shelf = *state;

    for (int i = 0; i < COUNT; i++) {
        (void)unlink(shelf->paths[i]);
        free(shelf->paths[i]);
    }
    (void)rmdir(shelf->folder);
    free(shelf);
    return 0;
}

static void
check(const struct shelf *shelf, const char *there)
{
    char found[COUNT + 1] = {0};

    for (int i = 0; i < COUNT; i++)
        found[i] = access(shelf->paths[i], F_OK) == 0 ? 'x' : '-';
    assert_string_equal(found, there);
}

static void
those_not_used_for_the_longest_go(void **state)
{
    const struct shelf *shelf = *state;

    assert_true(programs_make_room(shelf->folder, 0, NULL, 0));
    check(shelf, "xxx-");
    assert_true(programs_make_room(shelf->folder, SIZE + 3, NULL, 0));
    check(shelf, "x---");
    assert_true(programs_make_room(shelf->folder, SIZE, NULL, 0));
    check(shelf, "x---");
}

static void
those_that_are_needed_stay(void **state)
{
    const struct shelf *shelf = *state;

    assert_true(programs_make_room(shelf->folder, SIZE, shelf->hashes[2], 2));
    check(shelf, "--xx");
    assert_false(
        programs_make_room(shelf->folder, 2 * SIZE, shelf->hashes[2], 2));
    check(shelf, "--xx");
}

/* Somebody may have looked for it just now, and is about to start it. */
static void
those_just_used_stay(void **state)
{
    const struct shelf *shelf = *state;

    assert_int_equal(utimensat(AT_FDCWD, shelf->paths[3], NULL, 0), 0);
    assert_true(programs_make_room(shelf->folder, SIZE, NULL, 0));
    check(shelf, "x--x");
    assert_false(
        programs_make_room(shelf->folder, LIMIT_PROGRAMS_BYTES, NULL, 0));
    check(shelf, "---x");
}

static void
a_folder_that_is_not_there_has_room(void **state)
{
    (void)state;
    assert_true(programs_make_room("/nowhere", LIMIT_PROGRAMS_BYTES, NULL, 0));
}

static void
a_file_has_the_hash_of_what_is_in_it(void **state)
{
    const struct shelf *shelf = *state;
    unsigned char found[PROGRAM_HASH], wanted[PROGRAM_HASH];
    int fd = open(shelf->paths[0], O_RDWR | O_TRUNC | O_CLOEXEC);

    assert_int_equal(write(fd, "a program", 9), 9);
    assert_int_equal(programs_hash(fd, found), 0);
    (void)crypto_generichash(wanted, sizeof wanted,
                             (const unsigned char *)"a program", 9, NULL, 0);
    assert_memory_equal(found, wanted, sizeof wanted);
    (void)close(fd);
    assert_int_equal(programs_hash(fd, found), -1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(those_not_used_for_the_longest_go),
        TEST(those_that_are_needed_stay),
        TEST(those_just_used_stay),
        cmocka_unit_test(a_folder_that_is_not_there_has_room),
        TEST(a_file_has_the_hash_of_what_is_in_it),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests_name("programs", tests, NULL, NULL);
}
