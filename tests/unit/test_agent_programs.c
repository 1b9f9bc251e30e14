/* SPDX-License-Identifier: MPL-2.0 */
#include <dirent.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/programs.h"
#include "base/folder.h"
#include "base/mem.h"
#include "base/span.h"
#include "proto/limits.h"

#define HASH PROGRAM_HASH

/* A folder for programs, and one that a broker would have. */
struct shelf {
    char folder[64];
    char *path; /* where they are kept */
    struct agent_programs *programs;
    char *text; /* the program */
    size_t n;
    unsigned char hash[HASH];
};

static void
setup(struct shelf *self, size_t n)
{
    *self = (struct shelf){.n = n};
    (void)snprintf(self->folder, sizeof self->folder, "/tmp/leat-XXXXXX");
    assert_non_null(mkdtemp(self->folder));
    self->path = mem_printf("%s/a/b", self->folder);
    self->programs = agent_programs_new(self->path);
    self->text = mem_alloc(1, n + 1);
    for (size_t i = 0; i < n; i++)
        self->text[i] = (char)(i * 7 + i / 251);
    (void)crypto_generichash(self->hash, HASH, (unsigned char *)self->text, n,
                             NULL, 0);
}

static void
teardown(struct shelf *self)
{
    agent_programs_destroy(&self->programs);
    folder_remove(self->folder);
    free(self->path);
    free(self->text);
}

static size_t
count_files(const struct shelf *self)
{
    DIR *dir = opendir(self->path);
    size_t n = 0;

    assert_non_null(dir);
    for (const struct dirent *one; (one = readdir(dir));)
        n += strcmp(one->d_name, ".") != 0 && strcmp(one->d_name, "..") != 0;
    (void)closedir(dir);
    return n;
}

/* Answer all it asks for with what a broker would; how it ended. */
static enum agent_programs_step
serve(struct shelf *self, size_t piece, struct err *err)
{
    unsigned char hash[HASH];
    struct agent_programs_ask ask;

    while (agent_programs_next(self->programs, 0, &ask)) {
        size_t left = self->n - ask.offset;
        enum agent_programs_step step;

        assert_memory_equal(ask.hash, self->hash, HASH);
        assert_false(agent_programs_next(self->programs, 0, &ask));
        if (left == 0)
            step = agent_programs_answer(self->programs, ask.tag, ERR_NONE, "",
                                         hash, err);
        else
            step = agent_programs_chunk(self->programs, ask.tag, ask.offset,
                                        self->text + ask.offset,
                                        left < piece ? left : piece, hash, err);
        if (step == PROGRAMS_NONE)
            continue;
        assert_memory_equal(hash, self->hash, HASH);
        return step;
    }
    return PROGRAMS_NONE;
}

static void
a_program_comes_in_pieces_and_is_kept(void **state)
{
    struct shelf shelf;
    struct err err;
    struct stat st;
    const char *path;

    (void)state;
    setup(&shelf, 100000);
    assert_null(agent_programs_get(shelf.programs, shelf.hash, span_mono()));
    assert_null(agent_programs_get(shelf.programs, shelf.hash, span_mono()));
    assert_int_equal(serve(&shelf, 4096, &err), PROGRAMS_HERE);
    path = agent_programs_get(shelf.programs, shelf.hash, span_mono());
    assert_non_null(path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 100000);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(count_files(&shelf), 1);

    /* another agent finds it there */
    agent_programs_destroy(&shelf.programs);
    shelf.programs = agent_programs_new(shelf.path);
    path = agent_programs_get(shelf.programs, shelf.hash, span_mono());
    assert_non_null(path);
    teardown(&shelf);
}

static void
what_is_damaged_on_disk_is_fetched_again(void **state)
{
    struct shelf shelf;
    struct err err;
    const char *path;

    (void)state;
    setup(&shelf, 1000);
    assert_null(agent_programs_get(shelf.programs, shelf.hash, span_mono()));
    assert_int_equal(serve(&shelf, 1000, &err), PROGRAMS_HERE);
    path = agent_programs_get(shelf.programs, shelf.hash, span_mono());
    assert_int_equal(truncate(path, 999), 0);
    agent_programs_destroy(&shelf.programs);
    shelf.programs = agent_programs_new(shelf.path);
    assert_null(agent_programs_get(shelf.programs, shelf.hash, span_mono()));
    assert_int_equal(serve(&shelf, 300, &err), PROGRAMS_HERE);
    assert_int_equal(count_files(&shelf), 1);
    teardown(&shelf);
}

/* It would be fetched again and again where nothing can be executed. */
static void
what_is_not_executable_is_not_fetched_again(void **state)
{
    struct agent_programs_ask ask;
    struct shelf shelf;
    const char *path;
    struct err err;

    (void)state;
    setup(&shelf, 1000);
    assert_null(agent_programs_get(shelf.programs, shelf.hash, span_mono()));
    assert_int_equal(serve(&shelf, 400, &err), PROGRAMS_HERE);
    path = agent_programs_get(shelf.programs, shelf.hash, span_mono());
    assert_non_null(path);
    assert_int_equal(chmod(path, 0400), 0);
    agent_programs_destroy(&shelf.programs);
    shelf.programs = agent_programs_new(shelf.path);
    path = agent_programs_get(shelf.programs, shelf.hash, span_mono());
    assert_non_null(path);
    assert_int_equal(access(path, X_OK), 0);
    assert_false(agent_programs_next(shelf.programs, 0, &ask));
    teardown(&shelf);
}

static void
what_is_not_what_was_asked_for_is_not_kept(void **state)
{
    struct shelf shelf;
    struct err err;

    (void)state;
    setup(&shelf, 1000);
    assert_null(agent_programs_get(shelf.programs, shelf.hash, span_mono()));
    shelf.text[500]++;
    assert_int_equal(serve(&shelf, 400, &err), PROGRAMS_FAILED);
    assert_string_equal(err.msg,
                        "the program that came is not the one asked for");
    assert_int_equal(count_files(&shelf), 0);

    /* and may be asked for anew */
    shelf.text[500]--;
    assert_null(agent_programs_get(shelf.programs, shelf.hash, span_mono()));
    assert_int_equal(serve(&shelf, 400, &err), PROGRAMS_HERE);
    teardown(&shelf);
}

static void
a_new_connection_goes_on_where_the_old_one_was(void **state)
{
    unsigned char hash[HASH];
    struct agent_programs_ask ask, again;
    struct shelf shelf;
    struct err err;

    (void)state;
    setup(&shelf, 1000);
    assert_null(agent_programs_get(shelf.programs, shelf.hash, span_mono()));
    assert_true(agent_programs_next(shelf.programs, 0, &ask));
    assert_int_equal(agent_programs_chunk(shelf.programs, ask.tag, 0,
                                          shelf.text, 300, hash, &err),
                     PROGRAMS_NONE);
    assert_true(agent_programs_next(shelf.programs, 0, &ask));
    assert_int_equal(ask.offset, 300);
    agent_programs_again(shelf.programs);
    assert_true(agent_programs_next(shelf.programs, 0, &again));
    assert_int_equal(again.offset, 300);
    assert_true(again.tag != ask.tag);
    /* late: to the question before */
    assert_int_equal(
        agent_programs_chunk(shelf.programs, ask.tag, 300, "x", 1, hash, &err),
        PROGRAMS_NONE);
    agent_programs_again(shelf.programs);
    assert_int_equal(serve(&shelf, 700, &err), PROGRAMS_HERE);
    teardown(&shelf);
}

static void
an_answer_that_does_not_come_is_asked_for_again(void **state)
{
    struct agent_programs_ask ask;
    struct shelf shelf;

    (void)state;
    setup(&shelf, 10);
    assert_null(agent_programs_get(shelf.programs, shelf.hash, span_mono()));
    assert_true(agent_programs_next(shelf.programs, 0, &ask));
    assert_false(agent_programs_next(shelf.programs, SPAN_SECOND, &ask));
    assert_true(agent_programs_next(shelf.programs, 60 * SPAN_SECOND, &ask));
    teardown(&shelf);
}

static void
one_that_nobody_has_fails(void **state)
{
    unsigned char hash[HASH];
    struct agent_programs_ask ask;
    struct shelf shelf;
    struct err err;

    (void)state;
    setup(&shelf, 10);
    assert_null(agent_programs_get(shelf.programs, shelf.hash, span_mono()));
    assert_true(agent_programs_next(shelf.programs, 0, &ask));
    assert_int_equal(agent_programs_answer(shelf.programs, ask.tag,
                                           ERR_NOT_FOUND, "no such program",
                                           hash, &err),
                     PROGRAMS_FAILED);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_false(agent_programs_next(shelf.programs, 0, &ask));
    teardown(&shelf);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_comes_in_pieces_and_is_kept),
        cmocka_unit_test(what_is_damaged_on_disk_is_fetched_again),
        cmocka_unit_test(what_is_not_executable_is_not_fetched_again),
        cmocka_unit_test(what_is_not_what_was_asked_for_is_not_kept),
        cmocka_unit_test(a_new_connection_goes_on_where_the_old_one_was),
        cmocka_unit_test(an_answer_that_does_not_come_is_asked_for_again),
        cmocka_unit_test(one_that_nobody_has_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
