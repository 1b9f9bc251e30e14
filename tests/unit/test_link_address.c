/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"
#include "proto/link.h"
#include "proto/link_address.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* ---- addresses ---- */

static void
addresses_are_made_whole(void **state)
{
    static const struct {
        const char *text, *whole;
    } rows[] = {
        {"127.0.0.1", "tcp://127.0.0.1:7100"},
        {"127.0.0.1:8000", "tcp://127.0.0.1:8000"},
        {"tcp://127.0.0.1", "tcp://127.0.0.1:7100"},
        {"tcp://127.0.0.1:65535", "tcp://127.0.0.1:65535"},
        {"::1", "tcp://[::1]:7100"},
        {"[::1]", "tcp://[::1]:7100"},
        {"[::1]:1", "tcp://[::1]:1"},
        {"tcp://*:7100", "tcp://*:7100"},
        {"*", "tcp://*:7100"},
        {"ipc:///run/leat", "ipc:///run/leat"},
        {"ipc://@leat", "ipc://@leat"},
    };
    struct err err;
    char *whole = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (link_address(&whole, rows[i].text, &err) < 0)
            fail_msg("%s: %s", rows[i].text, err.msg);
        assert_string_equal(whole, rows[i].whole);
        free(whole);
    }
    /* Agents are told of it, and may be in another folder. */
    assert_int_equal(chdir("/tmp"), 0);
    assert_int_equal(link_address(&whole, "ipc://here", &err), 0);
    assert_string_equal(whole, "ipc:///tmp/here");
    free(whole);
}

static void
wrong_addresses_are_refused_with_the_reason(void **state)
{
    static const struct {
        const char *text, *said;
    } rows[] = {
        {"", "`` is not an address: HOST[:PORT] or ipc://PATH are"},
        {":7100", "`:7100` is not an address: HOST[:PORT] or ipc://PATH are"},
        {"a b", "`a b` is not an address: HOST[:PORT] or ipc://PATH are"},
        {"127.0.0.1:",
         "`127.0.0.1:` is not an address: HOST[:PORT] or ipc://PATH are"},
        {"127.0.0.1:0",
         "`127.0.0.1:0` is not an address: a port is a number up to 65535"},
        {"127.0.0.1:65536", "`127.0.0.1:65536` is not an address: a port is a "
                            "number up to 65535"},
        {"127.0.0.1:+1",
         "`127.0.0.1:+1` is not an address: a port is a number up to 65535"},
        {"[::1", "`[::1` is not an address: HOST[:PORT] or ipc://PATH are"},
        {"[::1]7", "`[::1]7` is not an address: HOST[:PORT] or ipc://PATH are"},
        {"http://x",
         "`http://x` is not an address: it begins with tcp:// or ipc://"},
        {"ipc://", "`ipc://` is not an address: ipc:// needs a path or @NAME"},
        {"ipc://@",
         "`ipc://@` is not an address: ipc:// needs a path or @NAME"},
        {"\x1b[0m", "`\\x1b[0m` is not an address: HOST[:PORT] or ipc://PATH "
                    "are"},
    };
    char *path = mem_alloc(201, 1);
    char *whole = NULL;
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(link_address(&whole, rows[i].text, &err), -1);
        assert_int_equal(err.code, ERR_INVALID);
        assert_string_equal(err.msg, rows[i].said);
        err.msg[0] = '\0';
        assert_int_equal(link_address_check(rows[i].text, &err), -1);
        assert_string_equal(err.msg, rows[i].said);
    }
    memset(path, 'x', 200);
    memcpy(path, "ipc://", 6);
    assert_int_equal(link_address(&whole, path, &err), -1);
    assert_non_null(strstr(err.msg, "the path is too long for a socket"));
    free(path);
}

/* .invalid is never there (RFC 6761). */
static void
a_host_that_is_not_known_is_said_so(void **state)
{
    char *whole = NULL;
    struct err err;

    (void)state;
    assert_int_equal(link_address_check("host.invalid:7100", &err), 0);
    assert_int_equal(link_address(&whole, "host.invalid:7100", &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "the host host.invalid is not known"));
    assert_int_equal(link_probe("tcp://host.invalid:7100", SPAN_SECOND, &err),
                     -1);
    assert_non_null(strstr(err.msg, "the host host.invalid is not known"));
}

static void
it_is_known_who_can_reach_an_address(void **state)
{
    (void)state;
    assert_true(link_is_private("ipc:///x"));
    assert_true(link_is_private("tcp://127.0.0.1:7100"));
    assert_true(link_is_private("tcp://127.1.2.3:7100"));
    assert_true(link_is_private("tcp://localhost:7100"));
    assert_true(link_is_private("tcp://[::1]:7100"));
    assert_false(link_is_private("tcp://*:7100"));
    assert_false(link_is_private("tcp://10.0.0.1:7100"));
    assert_false(link_is_private("tcp://[fe80::1]:7100"));
}

static void
endpoints_have_others_beside_them(void **state)
{
    static const struct {
        const char *address, *beside;
    } rows[] = {
        {"tcp://127.0.0.1:7100", "tcp://127.0.0.1:7201"},
        {"tcp://[::1]:7100", "tcp://[::1]:7201"},
        {"tcp://*:7100", "tcp://*:7201"},
        {"ipc:///run/leat", "ipc:///run/leat-lane1"},
        {"ipc://@leat", "ipc://@leat-lane1"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *beside = link_beside(rows[i].address, 7201, "lane1");

        assert_string_equal(beside, rows[i].beside);
        free(beside);
    }
}

static void
ipv6_is_for_hosts_that_have_nothing_else(void **state)
{
    (void)state;
    assert_true(address_needs_ipv6("tcp://[::1]:7100"));
    assert_false(address_needs_ipv6("tcp://127.0.0.1:7100"));
    assert_false(address_needs_ipv6("tcp://localhost:7100"));
    assert_false(address_needs_ipv6("tcp://*:7100"));
    assert_false(address_needs_ipv6("ipc:///x"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_made_whole),
        cmocka_unit_test(wrong_addresses_are_refused_with_the_reason),
        cmocka_unit_test(a_host_that_is_not_known_is_said_so),
        cmocka_unit_test(it_is_known_who_can_reach_an_address),
        cmocka_unit_test(endpoints_have_others_beside_them),
        cmocka_unit_test(ipv6_is_for_hosts_that_have_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
