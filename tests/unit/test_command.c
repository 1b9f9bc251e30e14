/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "exec/command.h"
#include "exec/program.h"
#include "proto/limits.h"
#include "tests/support/attempts.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const char *const no_bash[] = {"PATH=/nonexistent", NULL};
static const char *const nothing[] = {NULL};

struct given {
    struct command_request request;
    json_t *argv;
    json_t *bindings;
    json_t *env;
    json_t *input;
};

static json_t *
load(const char *json)
{
    return json ? json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)
                : NULL;
}

/* A request from JSON texts; given_release it. */
static struct given
given(const char *argv, const char *bindings, const char *env,
      const char *input)
{
    struct given g = {
        .argv = load(argv),
        .bindings = bindings ? load(bindings) : json_object(),
        .env = load(env),
        .input = load(input),
    };

    g.request = (struct command_request){
        .argv = g.argv,
        .bindings = g.bindings,
        .env = g.env,
        .input = g.input,
        .context = nothing,
        .base = plain_env,
    };
    return g;
}

static void
given_release(struct given *g)
{
    json_decref(g->argv);
    json_decref(g->bindings);
    json_decref(g->env);
    json_decref(g->input);
}

static struct command *
make(const struct given *g)
{
    struct command *command = NULL;
    struct err err;

    if (command_new(&command, &g->request, &err) < 0)
        fail_msg("%s", err.msg);
    return command;
}

static void
expect_shown(const struct given *g, const char *text)
{
    struct command *command = make(g);
    struct exec_spec spec = {0};
    struct buf shown = {0};

    command_spec(command, &spec);
    for (size_t i = 0; spec.argv[i]; i++)
        buf_printf(&shown, "%s<%s>", i > 0 ? " " : "", spec.argv[i]);
    assert_string_equal(buf_str(&shown), text);
    buf_release(&shown);
    command_destroy(&command);
}

static void
expect_refused(const struct given *g, enum err_code code, const char *text)
{
    struct command *command = NULL;
    struct err err = {0};

    assert_int_equal(command_new(&command, &g->request, &err), -1);
    assert_string_equal(err.msg, text);
    assert_int_equal(err.code, code);
    assert_null(command);
}

/* The whole environment, one variable a line. */
static void
expect_environment(const struct given *g, const char *text)
{
    struct command *command = make(g);
    struct exec_spec spec = {0};
    struct buf lines = {0};

    command_spec(command, &spec);
    for (const char *const *e = spec.envp; *e; e++)
        buf_printf(&lines, "%s\n", *e);
    assert_string_equal(buf_str(&lines), text);
    buf_release(&lines);
    command_destroy(&command);
}

/* ---- arguments ---- */

static void
a_script_goes_to_its_shell(void **state)
{
    static const struct {
        const char *shell;
        const char *const *base;
        const char *text;
    } cases[] = {
        {NULL, plain_env, "<bash> <-euo> <pipefail> <-c> <echo $x>"},
        {NULL, no_bash, "<sh> <-eu> <-c> <echo $x>"},
        {"bash", plain_env, "<bash> <-c> <echo $x>"},
        {"python3 -c", plain_env, "<python3> <-c> <echo $x>"},
        {"  perl  -w   -e ", plain_env, "<perl> <-w> <-e> <echo $x>"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct given g = given(NULL, NULL, NULL, NULL);

        g.request.script = "echo $x";
        g.request.shell = cases[i].shell;
        g.request.base = cases[i].base;
        expect_shown(&g, cases[i].text);
        given_release(&g);
    }
}

static void
arguments_are_text(void **state)
{
    struct given g = given("[\"prog\", 1, 2.5, true, null, \"a b\", \"it's\", "
                           "[1, 2], {\"a\": 1}]",
                           NULL, NULL, NULL);

    (void)state;
    expect_shown(&g,
                 "<prog> <1> <2.5> <true> <> <a b> <it's> <1\n2> <{\"a\":1}>");
    given_release(&g);
}

static void
arguments_that_make_no_command_are_refused(void **state)
{
    struct given g = given("[]", NULL, NULL, NULL);

    (void)state;
    expect_refused(&g, ERR_INVALID, "argv: the list is empty");
    given_release(&g);
    g = given("[\"a\", \"b\\u0000c\"]", NULL, NULL, NULL);
    expect_refused(&g, ERR_INVALID, "argv: argument 1 has a NUL byte in it");
    given_release(&g);
    g = given(NULL, NULL, NULL, NULL);
    g.request.script = "x";
    g.request.shell = " ";
    expect_refused(&g, ERR_INVALID, "shell: there is no word in it");
    given_release(&g);
}

/* ---- environment ---- */

static void
later_variables_replace_earlier_ones(void **state)
{
    static const char *const base[] = {"PATH=/bin",  "A=base", "B=base",
                                       "C=base",     "LD_X=1", "LEAT_X=1",
                                       "LEATHER=ok", NULL};
    static const char *const context[] = {"LEAT_RUN=7", "C=context", NULL};
    struct given g = given("[\"x\"]",
                           "{\"b\": 2, \"B\": [1, \"two\"], \"C\": 3, "
                           "\"number-1\": 1.5, \"t\": true, \"n\": null}",
                           "{\"A\": \"env\", \"B\": 1, \"D\": \"\"}", NULL);

    (void)state;
    g.request.base = base;
    g.request.context = context;
    expect_environment(&g, "PATH=/bin\nA=env\nB=1\ntwo\nC=context\nLEATHER=ok\n"
                           "D=\nb=2\nnumber_1=1.5\nt=true\nn=\nLEAT_RUN=7\n");
    given_release(&g);
}

static json_t *
text_of(size_t n)
{
    char *text = mem_alloc(n + 1, 1);
    json_t *value;

    memset(text, 'x', n);
    value = json_string(text);
    free(text);
    return value;
}

static void
discard(struct command *command)
{
    command_destroy(&command);
}

static void
values_too_large_say_what_to_do(void **state)
{
    struct given g = given("[\"x\"]", NULL, NULL, NULL);

    (void)state;
    (void)json_object_set_new(g.bindings, "big",
                              text_of(LIMIT_ENV_VALUE_BYTES - 5));
    discard(make(&g));
    (void)json_object_set_new(g.bindings, "big",
                              text_of(LIMIT_ENV_VALUE_BYTES - 4));
    expect_refused(
        &g, ERR_LIMIT,
        "`big` has 131068 bytes, and the kernel takes less than 131072 in one "
        "environment variable: pass it by `stdin:`, or read it from the file "
        "that $LEAT_INPUT names");
    given_release(&g);

    g = given("[\"x\"]", NULL, NULL, NULL);
    for (int i = 0; i < 9; i++) {
        char name[] = {'v', (char)('0' + i), '\0'};

        (void)json_object_set_new(g.bindings, name, text_of(120000));
    }
    expect_refused(&g, ERR_LIMIT,
                   "`v8` with its 120000 bytes makes arguments and "
                   "environment larger than 1048576 bytes: pass large values "
                   "by `stdin:`, or read them from the file that $LEAT_INPUT "
                   "names");
    given_release(&g);

    g = given("[\"x\"]", "{\"nul\": \"a\\u0000b\"}", NULL, NULL);
    expect_refused(&g, ERR_INVALID,
                   "`nul` has a NUL byte in it and can't be in the "
                   "environment: read it from the file that $LEAT_INPUT "
                   "names");
    given_release(&g);

    g = given("[\"x\"]", NULL, "{}", NULL);
    (void)json_object_set_new(g.env, "E", text_of(LIMIT_ENV_VALUE_BYTES));
    expect_refused(
        &g, ERR_LIMIT,
        "env: `E` has 131072 bytes, and the kernel takes less than 131072 in "
        "one environment variable: pass it by `stdin:`, or read it from the "
        "file that $LEAT_INPUT names");
    given_release(&g);
}

static void
an_argument_too_large_is_refused(void **state)
{
    struct given g = given("[\"x\"]", NULL, NULL, NULL);

    (void)state;
    (void)json_array_append_new(g.argv, text_of(LIMIT_ENV_VALUE_BYTES));
    expect_refused(&g, ERR_LIMIT,
                   "argv: argument 1 has 131072 bytes, and the kernel takes "
                   "less than 131072 in one: pass it by stdin, or in the file "
                   "that $LEAT_INPUT names");
    given_release(&g);
}

/* ---- files ---- */

static void
leat_input_is_a_file_for_the_command(void **state)
{
    struct given g =
        given(NULL, "{\"a-b\": [1, 2], \"nul\": \"x\\u0000\"}", NULL, NULL);
    struct exec_spec spec = {.keep_stdout = true};
    struct command *command;
    struct exec_done done;
    struct stat st;
    char *path;

    (void)json_object_set_new(g.bindings, "big",
                              text_of(LIMIT_ENV_VALUE_BYTES));
    g.request.script = "echo $a_b; head -c 28 $LEAT_INPUT; echo; "
                       "echo ${big-none} ${nul-none}";
    command = make(&g);
    command_spec(command, &spec);
    path = mem_dup(program_env(spec.envp, "LEAT_INPUT"));
    assert_non_null(path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    done = attempts_run(*state, spec);
    assert_string_equal(
        buf_str(&done.out),
        "1 2\n{\"a-b\":[1,2],\"nul\":\"x\\u0000\"\nnone none\n");
    exec_done_release(&done);
    command_destroy(&command);
    assert_int_equal(access(path, F_OK), -1);
    free(path);
    given_release(&g);
}

static void
leat_input_is_made_only_if_mentioned(void **state)
{
    struct given g = given("[\"x\", \"$LEAT_INPUTS\"]", NULL, NULL, NULL);
    struct exec_spec spec = {0};
    struct command *command = make(&g);

    (void)state;
    command_spec(command, &spec);
    assert_non_null(program_env(spec.envp, "LEAT_INPUT"));
    command_destroy(&command);
    given_release(&g);
    g = given("[\"x\"]", "{\"a\": \"$LEAT_INPUT\"}", NULL, NULL);
    expect_environment(&g, "PATH=/usr/bin:/bin\na=$LEAT_INPUT\n");
    given_release(&g);
}

static void
no_room_for_leat_input_is_an_error(void **state)
{
    static const char *const base[] = {"TMPDIR=/nonexistent", NULL};
    struct given g = given("[\"x\", \"$LEAT_INPUT\"]", NULL, NULL, NULL);

    (void)state;
    g.request.base = base;
    expect_refused(&g, ERR_SYSTEM,
                   "can't make a file in `/nonexistent`: No such file or "
                   "directory");
    given_release(&g);
}

static char *
long_script(void)
{
    struct buf script = {0};

    buf_text(&script, "echo begin\n");
    while (script.len < LIMIT_ENV_VALUE_BYTES)
        buf_text(&script, "# a comment, to make it long\n");
    buf_text(&script, "false | true\necho not here\n");
    return buf_take(&script);
}

static void
a_long_script_runs_from_a_file(void **state)
{
    char *script = long_script();
    struct given g = given(NULL, NULL, NULL, NULL);
    struct exec_spec spec = {0};
    struct command *command;
    struct exec_done done;
    char *path;

    g.request.script = script;
    command = make(&g);
    command_spec(command, &spec);
    assert_string_equal(spec.argv[2], "pipefail");
    path = mem_dup(spec.argv[3]);
    done = attempts_run(*state, spec);
    assert_string_equal(buf_str(&done.out), "begin\n");
    assert_string_equal(done.text, "exit code 1");
    exec_done_release(&done);
    command_destroy(&command);
    assert_int_equal(access(path, F_OK), -1);
    free(path);

    g.request.shell = "python3 -c";
    expect_refused(&g, ERR_LIMIT,
                   "the script has 131118 bytes, and `python3 -c` takes less "
                   "than 131072 in one argument: put it into a file of its "
                   "own");
    given_release(&g);
    free(script);
}

/* ---- input ---- */

static void
input_ends_with_a_newline(void **state)
{
    static const struct {
        const char *json;
        const char *text;
    } cases[] = {
        {"\"a\"", "a\n"},
        {"\"a\\n\"", "a\n"},
        {"\"\"", ""},
        {"[1, \"b\"]", "1\nb\n"},
        {"[]", ""},
        {"5", "5\n"},
        {"{\"a\": [1]}", "{\"a\":[1]}\n"},
        {"null", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct given g = given("[\"cat\"]", NULL, NULL, cases[i].json);
        struct command *command = make(&g);
        struct exec_spec spec = {0};

        command_spec(command, &spec);
        assert_non_null(spec.input);
        assert_int_equal(spec.ninput, strlen(cases[i].text));
        assert_memory_equal(spec.input, cases[i].text, spec.ninput);
        command_destroy(&command);
        given_release(&g);
    }
}

static void
no_input_is_none(void **state)
{
    struct given g = given("[\"cat\"]", NULL, NULL, NULL);
    struct command *command;
    struct exec_spec spec = {0};

    (void)state;
    g.request.cwd = "/etc";
    command = make(&g);
    command_spec(command, &spec);
    assert_null(spec.input);
    assert_int_equal(spec.ninput, 0);
    assert_string_equal(spec.cwd, "/etc");
    command_destroy(&command);
    given_release(&g);
}

int
main(void)
{
#define TEST(f) \
    cmocka_unit_test_setup_teardown(f, attempts_setup, attempts_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_goes_to_its_shell),
        cmocka_unit_test(arguments_are_text),
        cmocka_unit_test(arguments_that_make_no_command_are_refused),
        cmocka_unit_test(later_variables_replace_earlier_ones),
        cmocka_unit_test(values_too_large_say_what_to_do),
        cmocka_unit_test(an_argument_too_large_is_refused),
        TEST(leat_input_is_a_file_for_the_command),
        cmocka_unit_test(leat_input_is_made_only_if_mentioned),
        cmocka_unit_test(no_room_for_leat_input_is_an_error),
        TEST(a_long_script_runs_from_a_file),
        cmocka_unit_test(input_ends_with_a_newline),
        cmocka_unit_test(no_input_is_none),
    };

    return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
