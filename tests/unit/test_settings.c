/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/settings.h"
#include "base/span.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

enum { LISTEN, SLOTS, WAIT, LABEL, TEMPORARY, STORE, NSETTING };

static const struct setting table[NSETTING] = {
    [LISTEN] = {'l', "listen", SETTING_TEXT, "T_LISTEN", "ADDRESS",
                "tcp://*:7800", "where clients connect"},
    [SLOTS] = {'j', "slots", SETTING_NUMBER, "T_SLOTS", "N", NULL,
               "attempts at once"},
    [WAIT] = {0, "wait", SETTING_SPAN, "T_WAIT", "SPAN", "10s", "how long"},
    [LABEL] = {0, "label", SETTING_LIST, "T_LABEL", "NAME=VALUE", NULL,
               "a label"},
    [TEMPORARY] = {'t', "temporary", SETTING_FLAG, "T_TEMPORARY", NULL, NULL,
                   "end with the caller"},
    [STORE] = {0, "store", SETTING_TEXT, NULL, "FOLDER", NULL,
               "the store, of which there is more to say than fits into one "
               "line of a terminal"},
};

struct fixture {
    char file[40];
    struct settings *settings;
    struct err err;
    bool help;
    bool version;
};

static void
forget_environment(void)
{
    for (size_t i = 0; i < NSETTING; i++) {
        if (table[i].env)
            (void)unsetenv(table[i].env);
    }
}

static int
setup(void **state)
{
    struct fixture *t = mem_alloc(1, sizeof *t);
    int fd;

    *state = t;
    forget_environment();
    (void)snprintf(t->file, sizeof t->file, "/tmp/test_settings-XXXXXX");
    fd = mkstemp(t->file);
    return fd < 0 || close(fd) < 0 ? -1 : 0;
}

static int
teardown(void **state)
{
    struct fixture *t = *state;

    forget_environment();
    settings_destroy(&t->settings);
    (void)unlink(t->file);
    free(t);
    return 0;
}

static void
write_file(const struct fixture *t, const char *text)
{
    FILE *file = fopen(t->file, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Read words, separated by blanks, and the file. */
static int
read_words(struct fixture *t, const char *text, const char *file)
{
    char *copy = mem_dup(text), *rest = NULL;
    static char program[] = "test";
    char *argv[16] = {program, NULL};
    int argc = 1;
    int rc;

    for (char *word = strtok_r(copy, " ", &rest); word;
         word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    settings_destroy(&t->settings);
    rc = settings_read(&t->settings, table, NSETTING, file, argc, argv,
                       &t->help, &t->version, &t->err);
    free(copy);
    return rc;
}

static void
good(struct fixture *t, const char *text, const char *file)
{
    if (read_words(t, text, file) < 0)
        fail_msg("%s", t->err.msg);
}

static void
expect_list(const struct fixture *t, const char *joined)
{
    struct buf text = {0};
    size_t n;
    const char *const *list = settings_list(t->settings, LABEL, &n);

    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "%s%s", i > 0 ? "|" : "", list[i]);
    assert_true(n == 0 || !list[n]);
    assert_string_equal(buf_str(&text), joined);
    buf_release(&text);
}

static void
without_anything_defaults_hold(void **state)
{
    struct fixture *t = *state;
    size_t n = 7;

    good(t, "", NULL);
    assert_string_equal(settings_text(t->settings, LISTEN), "tcp://*:7800");
    assert_int_equal(settings_number(t->settings, WAIT), 10 * SPAN_SECOND);
    assert_null(settings_text(t->settings, SLOTS));
    assert_int_equal(settings_number(t->settings, SLOTS), 0);
    assert_null(settings_text(t->settings, STORE));
    assert_false(settings_flag(t->settings, TEMPORARY));
    expect_list(t, "");
    (void)settings_words(t->settings, &n);
    assert_int_equal(n, 0);
    assert_false(t->help || t->version);
}

static void
flags_are_read(void **state)
{
    struct fixture *t = *state;

    good(t,
         "--listen ipc:///a -j8 --wait=1m --label a=1,2 --label b=2 "
         "--temporary",
         NULL);
    assert_string_equal(settings_text(t->settings, LISTEN), "ipc:///a");
    assert_int_equal(settings_number(t->settings, SLOTS), 8);
    assert_int_equal(settings_number(t->settings, WAIT), 60 * SPAN_SECOND);
    assert_true(settings_flag(t->settings, TEMPORARY));
    expect_list(t, "a=1,2|b=2");
    good(t, "-j8 -t -j 9", NULL);
    assert_int_equal(settings_number(t->settings, SLOTS), 9);
    assert_true(settings_flag(t->settings, TEMPORARY));
}

static void
words_are_left_to_the_caller(void **state)
{
    struct fixture *t = *state;
    char one[] = "one", two[] = "-j2", three[] = "three", dashes[] = "--",
         four[] = "--four", program[] = "test";
    char *argv[] = {program, one, two, three, dashes, four, NULL};
    const char *const *words;
    size_t n;

    assert_int_equal(settings_read(&t->settings, table, NSETTING, NULL, 6, argv,
                                   &t->help, &t->version, &t->err),
                     0);
    words = settings_words(t->settings, &n);
    assert_int_equal(n, 3);
    assert_string_equal(words[0], "one");
    assert_string_equal(words[1], "three");
    assert_string_equal(words[2], "--four");
    assert_null(words[3]);
    assert_int_equal(settings_number(t->settings, SLOTS), 2);
}

static void
the_environment_is_read(void **state)
{
    struct fixture *t = *state;

    (void)setenv("T_LISTEN", "ipc:///b", 1);
    (void)setenv("T_SLOTS", "", 1); /* as good as none */
    (void)setenv("T_LABEL", "a=1, b=2 ,,c", 1);
    (void)setenv("T_TEMPORARY", "yes", 1);
    good(t, "", NULL);
    assert_string_equal(settings_text(t->settings, LISTEN), "ipc:///b");
    assert_null(settings_text(t->settings, SLOTS));
    assert_true(settings_flag(t->settings, TEMPORARY));
    expect_list(t, "a=1|b=2|c");
}

static void
the_file_is_read(void **state)
{
    struct fixture *t = *state;

    write_file(t, "# of this machine\n\n"
                  "listen: tcp://127.0.0.1:7800\t# a comment\r\n"
                  "  slots : 3\n"
                  "wait: 1h 30m\n"
                  "temporary: off\n"
                  "label: a=1, b#2\n"
                  "store: \" /srv/a # b \" \n"
                  "label: c=3");
    good(t, "", t->file);
    assert_string_equal(settings_text(t->settings, LISTEN),
                        "tcp://127.0.0.1:7800");
    assert_int_equal(settings_number(t->settings, SLOTS), 3);
    assert_int_equal(settings_number(t->settings, WAIT), 5400 * SPAN_SECOND);
    assert_false(settings_flag(t->settings, TEMPORARY));
    assert_string_equal(settings_text(t->settings, STORE), " /srv/a # b ");
    expect_list(t, "a=1|b#2|c=3");
}

static void
a_flag_beats_the_environment_and_that_the_file(void **state)
{
    struct fixture *t = *state;

    write_file(t, "listen: file\nslots: 1\nwait: 1s\nlabel: file\n");
    (void)setenv("T_LISTEN", "env", 1);
    (void)setenv("T_SLOTS", "2", 1);
    (void)setenv("T_LABEL", "env", 1);
    good(t, "--listen flag --label flag", t->file);
    assert_string_equal(settings_text(t->settings, LISTEN), "flag");
    assert_int_equal(settings_number(t->settings, SLOTS), 2);
    assert_int_equal(settings_number(t->settings, WAIT), SPAN_SECOND);
    expect_list(t, "flag");
    good(t, "", t->file);
    assert_string_equal(settings_text(t->settings, LISTEN), "env");
    expect_list(t, "env");
}

static void
the_file_need_not_exist_unless_named(void **state)
{
    struct fixture *t = *state;

    good(t, "", "/nonexistent/file");
    assert_int_equal(read_words(t, "--config /nonexistent/file", t->file), -1);
    assert_string_equal(
        t->err.msg, "can't read /nonexistent/file: No such file or directory");
    write_file(t, "slots: 5\n");
    good(t, "--config /nonexistent/file --help", t->file);
    {
        char words[80];

        (void)snprintf(words, sizeof words, "--config %s", t->file);
        good(t, words, "/nonexistent/file");
        assert_int_equal(settings_number(t->settings, SLOTS), 5);
    }
}

static void
a_wrong_flag_says_what_is_right(void **state)
{
    static const struct {
        const char *words;
        const char *text;
    } cases[] = {
        {"--lisen x", "unknown option --lisen (did you mean --listen?)"},
        {"--confg=x", "unknown option --confg (did you mean --config?)"},
        {"--quux", "unknown option --quux"},
        {"-x", "unknown option -x"},
        {"--slots", "option --slots needs an argument: N"},
        {"-l", "option --listen needs an argument: ADDRESS"},
        {"--config", "option --config needs an argument: FILE"},
        {"--temporary=yes", "option --temporary takes no argument"},
        {"--help=yes", "option --help takes no argument"},
        {"-j two", "--slots wants a number, 0 or more, not \"two\""},
        {"-j -2", "--slots wants a number, 0 or more, not \"-2\""},
        {"--wait soon",
         "--wait wants a length of time as 90s, 5m or 1h 30m, not \"soon\""},
    };
    struct fixture *t = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(read_words(t, cases[i].words, NULL), -1);
        assert_int_equal(t->err.code, ERR_INVALID);
        assert_string_equal(t->err.msg, cases[i].text);
        assert_null(t->settings);
    }
}

static void
a_wrong_variable_says_what_is_right(void **state)
{
    struct fixture *t = *state;

    (void)setenv("T_SLOTS", "a\nb", 1);
    assert_int_equal(read_words(t, "-j2", NULL), -1);
    assert_string_equal(t->err.msg,
                        "T_SLOTS wants a number, 0 or more, not \"a\\x0ab\"");
    (void)unsetenv("T_SLOTS");
    (void)setenv("T_TEMPORARY", "maybe", 1);
    assert_int_equal(read_words(t, "", NULL), -1);
    assert_string_equal(t->err.msg,
                        "T_TEMPORARY wants yes or no, not \"maybe\"");
}

static void
a_wrong_line_says_where_and_what_is_right(void **state)
{
    static const struct {
        const char *file;
        const char *text;
    } cases[] = {
        {"\nlisen: x\n", "2: unknown setting `lisen` (did you mean `listen`?)"},
        {"help: yes\n", "1: unknown setting `help`"},
        {"listen x\n", "1: a line is to be of the form name: value"},
        {": x\n", "1: a line is to be of the form name: value"},
        {"store: \"x\n", "1: a line is to be of the form name: value"},
        {"#\nslots: x\n", "2: `slots` wants a number, 0 or more, not \"x\""},
        {"slots:\n", "1: `slots` wants a number, 0 or more, not \"\""},
        {"slots: 1\nwait: 1s\nslots: 1\n",
         "3: `slots` is given a second time, after line 1"},
    };
    struct fixture *t = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        char *expected = mem_printf("%s:%s", t->file, cases[i].text);

        write_file(t, cases[i].file);
        assert_int_equal(read_words(t, "", t->file), -1);
        assert_string_equal(t->err.msg, expected);
        free(expected);
    }
}

static void
too_large_a_file_is_refused(void **state)
{
    struct fixture *t = *state;
    char *big = mem_alloc(300000, 1);

    memset(big, '\n', 299999);
    write_file(t, big);
    free(big);
    assert_int_equal(read_words(t, "", t->file), -1);
    assert_int_equal(t->err.code, ERR_LIMIT);
    assert_non_null(strstr(t->err.msg, "is longer than 262144 bytes"));
    assert_int_equal(read_words(t, "", "/tmp"), -1);
    assert_string_equal(t->err.msg, "can't read /tmp: Is a directory");
}

static void
help_shows_what_is_in_force_and_from_where(void **state)
{
    struct fixture *t = *state;
    struct buf out = {0};
    char *expected;

    write_file(t, "# here\nwait: 3s\n");
    (void)setenv("T_LABEL", "a,b", 1);
    good(t, "-j2 -h", t->file);
    assert_true(t->help);
    assert_false(t->version);
    settings_fall_back(t->settings, STORE, "/there");
    settings_fall_back(t->settings, SLOTS, "7"); /* it is told */
    settings_help(t->settings, &out);
    expected = mem_printf(
        "Options:\n"
        "  -l, --listen ADDRESS    where clients connect\n"
        "                          now tcp://*:7800 (the default)\n"
        "  -j, --slots N           attempts at once\n"
        "                          now 2 (from --slots)\n"
        "      --wait SPAN         how long\n"
        "                          now 3s (from %s:2)\n"
        "      --label NAME=VALUE  a label\n"
        "                          now a, b (from T_LABEL)\n"
        "  -t, --temporary         end with the caller\n"
        "      --store FOLDER      the store, of which there is more to say "
        "than fits\n"
        "                          into one line of a terminal\n"
        "                          now /there (the default)\n"
        "      --config FILE       read settings from this file\n"
        "                          now %s\n"
        "      --version           print the version\n"
        "  -h, --help              show this help\n"
        "\n"
        "The file has lines of the form name: value, named as the long "
        "options.\n"
        "Environment, which the file gives way to:\n"
        "  T_LISTEN                  --listen\n"
        "  T_SLOTS                   --slots\n"
        "  T_WAIT                    --wait\n"
        "  T_LABEL                   --label\n"
        "  T_TEMPORARY               --temporary\n",
        t->file, t->file);
    assert_string_equal(buf_str(&out), expected);
    free(expected);
    buf_release(&out);
}

static void
who_asks_for_help_gets_it_whatever_is_wrong(void **state)
{
    struct fixture *t = *state;

    write_file(t, "quux\n");
    (void)setenv("T_SLOTS", "x", 1);
    good(t, "--help", t->file);
    assert_true(t->help);
    assert_string_equal(settings_text(t->settings, LISTEN), "tcp://*:7800");
    good(t, "--version", t->file);
    assert_true(t->version);
    assert_false(t->help);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(without_anything_defaults_hold),
        TEST(flags_are_read),
        TEST(words_are_left_to_the_caller),
        TEST(the_environment_is_read),
        TEST(the_file_is_read),
        TEST(a_flag_beats_the_environment_and_that_the_file),
        TEST(the_file_need_not_exist_unless_named),
        TEST(a_wrong_flag_says_what_is_right),
        TEST(a_wrong_variable_says_what_is_right),
        TEST(a_wrong_line_says_where_and_what_is_right),
        TEST(too_large_a_file_is_refused),
        TEST(help_shows_what_is_in_force_and_from_where),
        TEST(who_asks_for_help_gets_it_whatever_is_wrong),
    };

    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
