/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/span.h"
#include "cli/options.h"

static const enum opt allowed[] = {
    OPT_PARAM, OPT_QUIET,  OPT_VERBOSE, OPT_NUMBER, OPT_TIMEOUT,
    OPT_NAME,  OPT_FOLLOW, OPT_HELP,    OPT_SLOTS,  OPT_COUNT};

#define WORDS 12

/* A command line split at spaces, as the shell would. */
static int
parse(struct args *args, const char *line, bool stop, struct err *err)
{
    static char text[200]; /* what args borrows */
    static char *argv[WORDS + 1];
    char *rest = text;
    int argc = 0;

    (void)strncpy(text, line, sizeof text - 1);
    while (rest && argc < WORDS)
        argv[argc++] = strsep(&rest, " ");
    argv[argc] = NULL;
    return args_parse(args, allowed, stop, argc, argv, err);
}

static void
options_may_stand_between_words(void **state)
{
    struct args args = {0};
    struct err err;

    (void)state;
    assert_int_equal(
        parse(&args, "run -q a.yaml -p x=1 --name=n b", false, &err), 0);
    assert_int_equal(args.nword, 2);
    assert_string_equal(args.words[0], "a.yaml");
    assert_string_equal(args.words[1], "b");
    assert_true(args_has(&args, OPT_QUIET));
    assert_false(args_has(&args, OPT_VERBOSE));
    assert_string_equal(args_text(&args, OPT_NAME), "n");
    assert_null(args_text(&args, OPT_TIMEOUT));
    args_release(&args);
}

static void
what_is_given_several_times_is_kept_in_order(void **state)
{
    struct args args = {0};
    struct err err;

    (void)state;
    assert_int_equal(parse(&args, "run -p a=1 -p b=2 --param a=3", false, &err),
                     0);
    assert_int_equal(args.n, 3);
    assert_string_equal(args.list[1].text, "b=2");
    assert_string_equal(args_text(&args, OPT_PARAM), "a=3");
    args_release(&args);
}

static void
a_command_behind_options_keeps_its_own(void **state)
{
    struct args args = {0};
    struct err err;

    (void)state;
    assert_int_equal(parse(&args, "each -v gzip -q -9", true, &err), 0);
    assert_int_equal(args.nword, 3);
    assert_string_equal(args.words[1], "-q");
    assert_false(args_has(&args, OPT_QUIET));
    args_release(&args);

    assert_int_equal(parse(&args, "each -v -- -q x", true, &err), 0);
    assert_int_equal(args.nword, 2);
    assert_string_equal(args.words[0], "-q");
    args_release(&args);
}

static void
numbers_and_times_are_read(void **state)
{
    struct args args = {0};
    struct err err;

    (void)state;
    assert_int_equal(parse(&args, "ls -n 5 --timeout 90s", false, &err), 0);
    assert_int_equal(args_number(&args, OPT_NUMBER, 20), 5);
    assert_int_equal(args_number(&args, OPT_TIMEOUT, 0), 90 * SPAN_SECOND);
    args_release(&args);
    assert_int_equal(parse(&args, "ls", false, &err), 0);
    assert_int_equal(args_number(&args, OPT_NUMBER, 20), 20);
    args_release(&args);
}

static void
what_is_wrong_is_said(void **state)
{
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"run --nmae x", "unknown option --nmae (did you mean --name?)"},
        {"run --zzzzzz", "unknown option --zzzzzz"},
        {"run -z", "unknown option -z"},
        {"run -qz", "unknown option -z"},
        {"run --zzzzzz=1", "unknown option --zzzzzz"},
        {"run -p", "option --param needs an argument: NAME=VALUE"},
        {"run --name", "option --name needs an argument: NAME"},
        {"run --quiet=1", "option --quiet takes no argument"},
        {"run -p x", "--param wants NAME=VALUE, not \"x\""},
        {"run -p =1", "--param wants NAME=VALUE, not \"=1\""},
        {"ls -n x", "--number wants a number, 0 or more, not \"x\""},
        {"ls -n -1", "--number wants a number, 0 or more, not \"-1\""},
        {"ls -n 99999999999999999999",
         "--number wants a number, 0 or more, not \"99999999999999999999\""},
        {"run -jx", "-j wants a number, 1 or more, or none at all, not \"x\""},
        {"run -j0", "-j wants a number, 1 or more, or none at all, not \"0\""},
        {"run -j 4x a.yaml",
         "-j wants a number, 1 or more, or none at all, not \"4x\""},
        {"run --timeout soon", "--timeout wants a length of time as 90s, 5m or "
                               "1h 30m, not \"soon\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct args args = {0};
        struct err err = {0};

        assert_int_equal(parse(&args, cases[i].line, false, &err), -1);
        assert_string_equal(err.msg, cases[i].message);
        assert_int_equal(err.code, ERR_INVALID);
    }
}

static void
every_option_has_a_name_and_a_help_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < OPT_COUNT; i++) {
        const struct opt_spec *spec = &opt_specs[i];

        assert_non_null(spec->name);
        assert_non_null(spec->help);
        assert_int_equal(spec->kind != KIND_NONE, spec->value != NULL);
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(spec->name, opt_specs[k].name);
            if (spec->letter)
                assert_int_not_equal(spec->letter, opt_specs[k].letter);
        }
    }
}

/* The number of slots that a line gives: -1 none was asked for, 0 no number. */
static int
slots_of(const char *line, size_t nword)
{
    struct args args = {0};
    struct err err;
    int n = -1;

    assert_int_equal(parse(&args, line, false, &err), 0);
    assert_int_equal(args.nword, nword);
    if (args_has(&args, OPT_SLOTS))
        n = (int)args_number(&args, OPT_SLOTS, 0);
    args_release(&args);
    return n;
}

static void
a_number_behind_j_belongs_to_it(void **state)
{
    (void)state;
    assert_int_equal(slots_of("run a.yaml", 1), -1);
    assert_int_equal(slots_of("run -j a.yaml", 1), 0);
    assert_int_equal(slots_of("run a.yaml -j", 1), 0);
    assert_int_equal(slots_of("run -j4 a.yaml", 1), 4);
    assert_int_equal(slots_of("run -j 4 a.yaml", 1), 4);
    assert_int_equal(slots_of("run a.yaml --slots 12 b", 2), 12);
    assert_int_equal(slots_of("run a.yaml --slots=12", 1), 12);
    assert_int_equal(slots_of("run -j 4.yaml", 1), 0);
    assert_int_equal(slots_of("run -j dir/4x", 1), 0);
    assert_int_equal(slots_of("run -j 4", 0), 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_behind_j_belongs_to_it),
        cmocka_unit_test(options_may_stand_between_words),
        cmocka_unit_test(what_is_given_several_times_is_kept_in_order),
        cmocka_unit_test(a_command_behind_options_keeps_its_own),
        cmocka_unit_test(numbers_and_times_are_read),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(every_option_has_a_name_and_a_help_of_its_own),
    };

    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
