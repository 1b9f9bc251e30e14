/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/folder.h"
#include "base/mem.h"
#include "cli/hosts.h"
#include "proto/limits.h"

/* $HOME is a folder of the test's own. */
static char *
write_file(const char *name, const char *text)
{
    char *path = mem_printf("%s/%s", getenv("HOME"), name);
    FILE *out = fopen(path, "we");

    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
    return path;
}

static void
expect(const struct hosts *self, const char *all)
{
    struct buf text = {0};

    for (size_t i = 0; i < self->n; i++)
        buf_printf(&text, "%s ", self->list[i]);
    assert_string_equal(buf_str(&text), all);
    buf_release(&text);
}

static void
a_file_has_a_host_a_line(void **state)
{
    struct hosts hosts = {0};
    struct err err;
    char *file = write_file("list", "# all\n\n a\t# the first\nb slots=4\r\n"
                                    "u@c:22\na\nlast");

    (void)state;
    assert_int_equal(hosts_read(&hosts, file, &err), 0);
    expect(&hosts, "a b u@c:22 last ");
    hosts_release(&hosts);
    free(file);
}

static void
what_ssh_would_take_for_an_option_is_no_host(void **state)
{
    static const char *const bad[] = {"", "-oProxyCommand=x", "a b", "a\nb"};
    struct hosts hosts = {0};
    struct err err;
    char *file = write_file("list", "a\n-x\n");

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(hosts_add(&hosts, bad[i], &err), -1);
        assert_int_equal(err.code, ERR_INVALID);
    }
    assert_int_equal(hosts_read(&hosts, file, &err), -1);
    assert_non_null(strstr(err.msg, "list:2: "));
    assert_int_equal(hosts_read(&hosts, "/nowhere", &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    hosts_release(&hosts);
    free(file);
}

static void
there_is_a_bound(void **state)
{
    struct hosts hosts = {0};
    struct err err;
    char name[32];

    (void)state;
    for (unsigned i = 0; i < LIMIT_HOSTS; i++) {
        (void)snprintf(name, sizeof name, "h%u", i);
        assert_int_equal(hosts_add(&hosts, name, &err), 0);
    }
    assert_int_equal(hosts_add(&hosts, "h7", &err), 0);
    assert_int_equal(hosts_add(&hosts, "one", &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    hosts_release(&hosts);
}

static void
remember(const char *broker, const char *one, bool known_one, const char *two,
         bool known_two)
{
    const bool known[] = {known_one, known_two};
    struct hosts hosts = {0};
    struct err err;

    assert_int_equal(hosts_add(&hosts, one, &err), 0);
    assert_int_equal(hosts_add(&hosts, two, &err), 0);
    assert_int_equal(hosts_remember(broker, &hosts, known, &err), 0);
    hosts_release(&hosts);
}

static void
expect_known(const char *broker, const char *all)
{
    struct hosts hosts = {0};

    hosts_recall(&hosts, broker);
    expect(&hosts, all);
    hosts_release(&hosts);
}

static void
hosts_are_known_until_they_are_not(void **state)
{
    (void)state;
    (void)unsetenv("XDG_STATE_HOME");
    expect_known("tcp://x", "");
    remember("tcp://x", "a", true, "b", true);
    remember("tcp://x:1", "a", true, "c", false);
    expect_known("tcp://x", "a b ");
    expect_known("tcp://x:1", "a ");
    expect_known("tcp://", "");
    remember("tcp://x", "b", true, "a", false);
    expect_known("tcp://x", "b ");
    expect_known("tcp://x:1", "a ");
}

static int
own_home(void **state)
{
    char *home = mem_printf("%s/hosts-XXXXXX",
                            getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");

    (void)state;
    assert_non_null(mkdtemp(home));
    (void)setenv("HOME", home, 1);
    free(home);
    return 0;
}

static int
remove_home(void **state)
{
    (void)state;
    folder_remove(getenv("HOME"));
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_has_a_host_a_line),
        cmocka_unit_test(what_ssh_would_take_for_an_option_is_no_host),
        cmocka_unit_test(there_is_a_bound),
        cmocka_unit_test(hosts_are_known_until_they_are_not),
    };

    return cmocka_run_group_tests(tests, own_home, remove_home);
}
