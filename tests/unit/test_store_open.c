/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/unit/store_box.h"

static void
assert_open_fails(struct box *box, const char *below, enum store_mode mode,
                  enum err_code code, const char *expected)
{
    char *path = mem_printf("%s/%s", box->folder, below);
    struct store *store = NULL;

    box->err = (struct err){0};
    assert_int_equal(store_open(&store, path, mode, &box->err), -1);
    assert_null(store);
    assert_message(box, code, expected);
    free(path);
}

static void
a_store_that_is_not_there_is_not_found(void **state)
{
    struct box *box = *state;

    assert_open_fails(box, "none", STORE_READ, ERR_NOT_FOUND,
                      "there is no store in FOLDER/none: nothing has run yet");
    assert_open_fails(box, "", STORE_READ, ERR_NOT_FOUND,
                      "there is no store in FOLDER: nothing has run yet");
    overwrite(box, "leat.db", "", 0, 0);
    assert_open_fails(box, "", STORE_READ, ERR_NOT_FOUND,
                      "FOLDER/leat.db is empty: nothing has run yet");
}

static void
an_empty_file_becomes_a_store(void **state)
{
    struct box *box = *state;
    struct store *store = NULL;

    overwrite(box, "leat.db", "", 0, 0);
    assert_int_equal(store_open(&store, box->folder, STORE_WRITE, &box->err),
                     0);
    store_close(&store);
}

static void
a_folder_that_can_not_be_one_is_named(void **state)
{
    struct box *box = *state;

    overwrite(box, "file", "x", 1, 0);
    assert_open_fails(box, "file", STORE_WRITE, ERR_UNAVAILABLE,
                      "can't use the folder FOLDER/file: Not a directory; "
                      "choose another with --store");
    assert_open_fails(box, "file/below", STORE_WRITE, ERR_UNAVAILABLE,
                      "can't use the folder FOLDER/file/below: Not a "
                      "directory; choose another with --store");
    assert_open_fails(box, "file", STORE_READ, ERR_UNAVAILABLE,
                      "can't use the folder FOLDER/file: Not a directory; "
                      "choose another with --store");
}

static void
a_database_that_can_not_be_opened_is_named(void **state)
{
    struct box *box = *state;
    char *path = mem_printf("%s/leat.db", box->folder);

    assert_int_equal(mkdir(path, 0700), 0);
    assert_open_fails(box, "", STORE_WRITE, ERR_UNAVAILABLE,
                      "can't open FOLDER/leat.db: Is a directory; choose "
                      "another folder with --store");
    free(path);
}

static void
a_folder_that_can_not_be_made_is_named(void **state)
{
    struct box *box = *state;
    struct store *store = NULL;

    assert_int_equal(store_open(&store, "/proc/x/y", STORE_WRITE, &box->err),
                     -1);
    assert_message(box, ERR_UNAVAILABLE,
                   "can't make the folder /proc/x: No such file or directory; "
                   "choose another with --store");
}

static void
a_damaged_database_is_refused(void **state)
{
    struct box *box = *state;
    char zeros[4096] = {0};

    store_close(&box->store);
    overwrite(box, "leat.db", "this is no database, but long enough\n", 37, 0);
    assert_open_fails(
        box, "", STORE_READ, ERR_INVALID,
        "FOLDER/leat.db is damaged (file is not a database); move its folder "
        "away to start a new one, or recover it with: sqlite3 FOLDER/leat.db "
        ".recover");
    /* The tables' roots are in the log, the file is one page. */
    overwrite(box, "a/store/leat.db-wal", zeros, sizeof zeros, 0);
    overwrite(box, "a/store/leat.db", "\xff\xff\xff", 3, 100);
    assert_open_fails(
        box, "a/store", STORE_WRITE, ERR_INVALID,
        "FOLDER/a/store/leat.db is damaged (database disk image is "
        "malformed); move its folder away to start a new one, or recover it "
        "with: sqlite3 FOLDER/a/store/leat.db .recover");
}

static void
a_newer_store_is_refused(void **state)
{
    struct box *box = *state;

    store_close(&box->store);
    free(sql(box, "PRAGMA user_version = 9"));
    assert_open_fails(
        box, "a/store", STORE_WRITE, ERR_INVALID,
        "FOLDER/a/store/leat.db was written by a newer leat (store version 9, "
        "this one reads 1): update leat, or choose another folder with "
        "--store");
}

static void
another_programs_database_is_refused(void **state)
{
    static const char expected[] =
        "FOLDER/a/store/leat.db is not a store of leat's but another "
        "program's database; choose another folder with --store";
    struct box *box = *state;

    store_close(&box->store);
    free(sql(box, "PRAGMA application_id = 77"));
    assert_open_fails(box, "a/store", STORE_WRITE, ERR_INVALID, expected);
    free(sql(box, "PRAGMA application_id = 0"));
    free(sql(box, "PRAGMA user_version = 0"));
    assert_open_fails(box, "a/store", STORE_READ, ERR_INVALID, expected);
}

static void
the_default_folder_follows_the_environment(void **state)
{
    static const struct {
        const char *store, *xdg, *home, *expected;
    } rows[] = {
        {"/s", "/x", "/h", "/s"},
        {"rel", NULL, NULL, "rel"},
        {"", "/x", "/h", "/x/leat"},
        {NULL, "x", "/h", "/h/.local/state/leat"},
        {NULL, "", "/h", "/h/.local/state/leat"},
        {NULL, NULL, "/h", "/h/.local/state/leat"},
    };
    static const char *const names[] = {"LEAT_STORE", "XDG_STATE_HOME", "HOME"};
    char *old[3], *folder;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        old[i] = mem_dup(getenv(names[i]));
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *values[] = {rows[i].store, rows[i].xdg, rows[i].home};

        for (size_t k = 0; k < 3; k++) {
            if (values[k])
                (void)setenv(names[k], values[k], 1);
            else
                (void)unsetenv(names[k]);
        }
        folder = store_default_folder();
        assert_string_equal(folder, rows[i].expected);
        free(folder);
    }
    (void)unsetenv("HOME");
    (void)unsetenv("LEAT_STORE");
    (void)unsetenv("XDG_STATE_HOME");
    folder = store_default_folder();
    assert_int_equal(folder[0], '/');
    assert_non_null(strstr(folder, "/.local/state/leat"));
    free(folder);
    for (size_t i = 0; i < 3; i++) {
        if (old[i])
            (void)setenv(names[i], old[i], 1);
        free(old[i]);
    }
}

static void
folders_are_private(void **state)
{
    struct box *box = *state;
    char *above = mem_printf("%s/a", box->folder);
    struct stat st;

    assert_int_equal(stat(above, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(box->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    free(above);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_store_that_is_not_there_is_not_found),
        TEST(an_empty_file_becomes_a_store),
        TEST(a_folder_that_can_not_be_one_is_named),
        TEST(a_database_that_can_not_be_opened_is_named),
        TEST(a_folder_that_can_not_be_made_is_named),
        TEST(a_damaged_database_is_refused),
        TEST(a_newer_store_is_refused),
        TEST(another_programs_database_is_refused),
        TEST(the_default_folder_follows_the_environment),
        TEST(folders_are_private),
    };

    return cmocka_run_group_tests_name("store_open", tests, NULL, NULL);
}
