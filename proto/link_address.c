/* SPDX-License-Identifier: MPL-2.0 */
/*
 * link_address - endpoints as people write them, and whether somebody is there.
 */
#include "proto/link_address.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/span.h"
#include "base/utf8.h"
#include "proto/limits.h"
#include "proto/link.h"

#define TCP "tcp://"
#define IPC "ipc://"

static bool
begins_with(const char *text, const char *head)
{
    return strncmp(text, head, strlen(head)) == 0;
}

bool
address_is_ipc(const char *endpoint)
{
    return begins_with(endpoint, IPC);
}

/* ---- parts of a tcp address ---- */

struct place {
    char host[LIMIT_HOST_BYTES + 1]; /* without brackets */
    char port[8];                    /* "" if there is none */
};

/* "HOST", "HOST:PORT", "[V6]:PORT", or a bare IPv6 address. */
static bool
split(struct place *ret, const char *text)
{
    const char *colon = strrchr(text, ':');
    const char *end = text + strlen(text);
    size_t nport = 0;

    if (*text == '[') {
        end = strchr(++text, ']');
        if (!end || (end[1] != '\0' && end[1] != ':'))
            return false;
        colon = end[1] == ':' ? end + 1 : NULL;
    } else if (colon && strchr(text, ':') == colon) {
        end = colon;
    } else {
        colon = NULL;
    }
    if (colon)
        nport = strlen(colon + 1);
    if (end == text || (size_t)(end - text) > LIMIT_HOST_BYTES || nport > 5 ||
        (colon && nport == 0))
        return false;
    memcpy(ret->host, text, (size_t)(end - text));
    ret->host[end - text] = '\0';
    memcpy(ret->port, colon ? colon + 1 : "", nport + 1);
    return true;
}

static bool
is_port(const char *text)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);

    return *end == '\0' && strspn(text, "0123456789") == strlen(text) &&
           port > 0 && port < 65536;
}

static bool
is_host(const char *host)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:%";

    return strcmp(host, "*") == 0 || host[strspn(host, letters)] == '\0';
}

static int
resolve(struct addrinfo **ret, const struct place *place, int family)
{
    struct addrinfo hints = {.ai_family = family,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV};

    return getaddrinfo(place->host, place->port[0] ? place->port : NULL, &hints,
                       ret);
}

bool
address_needs_ipv6(const char *endpoint)
{
    struct addrinfo *found = NULL;
    struct place place;

    if (!begins_with(endpoint, TCP) ||
        !split(&place, endpoint + sizeof TCP - 1) ||
        strcmp(place.host, "*") == 0)
        return false;
    if (strchr(place.host, ':'))
        return true;
    if (resolve(&found, &place, AF_INET) == 0) {
        freeaddrinfo(found);
        return false;
    }
    if (resolve(&found, &place, AF_INET6) != 0)
        return false;
    freeaddrinfo(found);
    return true;
}

static char *
join(const char *host, const char *port)
{
    bool brackets = strchr(host, ':') != NULL;

    return mem_printf(TCP "%s%s%s:%s", brackets ? "[" : "", host,
                      brackets ? "]" : "", port);
}

/* ---- as people write it ---- */

/* What somebody typed, fit for a message. */
static int
not_an_address(struct err *err, const char *text, const char *why)
{
    struct buf shown = {0};
    size_t n = strlen(text);

    utf8_escape(&shown, text, n < 100 ? n : 100);
    (void)err_set(err, ERR_INVALID, "`%s` is not an address: %s",
                  buf_str(&shown), why);
    buf_release(&shown);
    return -1;
}

static int
whole_ipc(char **ret, const char *text, struct err *err)
{
    struct sockaddr_un place;
    const char *path = text + sizeof IPC - 1;
    char *folder = NULL;
    char *whole;

    if (*path == '\0' || strcmp(path, "@") == 0 || strcmp(path, "*") == 0)
        return not_an_address(err, text, "ipc:// needs a path or @NAME");
    /* From here: who is told of it may be somewhere else. */
    if (*path != '/' && *path != '@')
        folder = getcwd(NULL, 0);
    whole = mem_printf("%s%s%s%s", IPC, folder ? folder : "", folder ? "/" : "",
                       path);
    free(folder);
    path = whole + sizeof IPC - 1;
    /* beside it there are others, with something behind their names */
    if (strlen(path) + 16 > sizeof place.sun_path) {
        (void)not_an_address(err, whole, "the path is too long for a socket");
        free(whole);
        return -1;
    }
    *ret = whole;
    return 0;
}

static int
read_tcp(struct place *ret, const char *text, struct err *err)
{
    const char *at = begins_with(text, TCP) ? text + sizeof TCP - 1 : text;

    if (strstr(at, "://"))
        return not_an_address(err, text, "it begins with tcp:// or ipc://");
    if (!split(ret, at) || !is_host(ret->host))
        return not_an_address(err, text, "HOST[:PORT] or ipc://PATH are");
    if (ret->port[0] == '\0')
        (void)snprintf(ret->port, sizeof ret->port, "%d", LINK_CONTROL_PORT);
    if (!is_port(ret->port))
        return not_an_address(err, text, "a port is a number up to 65535");
    return 0;
}

static int
whole_tcp(char **ret, const char *text, struct err *err)
{
    struct addrinfo *found = NULL;
    struct place place;
    int rc;

    if (read_tcp(&place, text, err) < 0)
        return -1;
    if (strcmp(place.host, "*") != 0) {
        rc = resolve(&found, &place, AF_UNSPEC);
        if (rc != 0)
            return err_set(err, ERR_UNAVAILABLE, "the host %s is not known: %s",
                           place.host, gai_strerror(rc));
        freeaddrinfo(found);
    }
    *ret = join(place.host, place.port);
    return 0;
}

int
link_address_check(const char *text, struct err *err)
{
    struct place place;
    char *whole = NULL;

    if (!begins_with(text, IPC))
        return read_tcp(&place, text, err);
    if (whole_ipc(&whole, text, err) < 0)
        return -1;
    free(whole);
    return 0;
}

int
link_address(char **ret, const char *text, struct err *err)
{
    return begins_with(text, IPC) ? whole_ipc(ret, text, err)
                                  : whole_tcp(ret, text, err);
}

bool
link_is_private(const char *address)
{
    struct place place;

    if (address_is_ipc(address))
        return true;
    if (!begins_with(address, TCP) || !split(&place, address + sizeof TCP - 1))
        return false;
    return begins_with(place.host, "127.") ||
           strcmp(place.host, "localhost") == 0 ||
           strcmp(place.host, "::1") == 0;
}

char *
link_beside(const char *address, unsigned port, const char *name)
{
    struct place place = {"", ""};
    char text[12];

    if (address_is_ipc(address))
        return mem_printf("%s-%s", address, name);
    (void)split(&place, address + sizeof TCP - 1);
    (void)snprintf(text, sizeof text, "%u", port);
    return join(place.host, text);
}

/* ---- is somebody there? ---- */

/* 0: connected; an errno otherwise. */
static int
finish_connect(int fd, int64_t until)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    socklen_t n = sizeof(int);
    int error = 0;

    for (;;) {
        int64_t left = until - span_mono();
        int rc = poll(&poll_fd, 1, left > 0 ? (int)(left / SPAN_MS) + 1 : 0);

        if (rc > 0)
            break;
        if (rc == 0)
            return ETIMEDOUT;
        if (errno != EINTR)
            return errno;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
        return errno;
    return error;
}

static int
try_connect(const struct sockaddr *address, socklen_t n, int64_t until)
{
    int fd = socket(address->sa_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error = 0;

    if (fd < 0)
        return errno;
    if (connect(fd, address, n) < 0) {
        error = errno;
        if (error == EINPROGRESS || error == EINTR)
            error = finish_connect(fd, until);
        else if (error == EAGAIN) /* ipc: it is there, and busy */
            error = 0;
    }
    (void)close(fd);
    return error;
}

static int
probe_ipc(const char *address, int64_t until)
{
    const char *path = address + sizeof IPC - 1;
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    size_t n = strlen(path);

    if (n == 0 || n >= sizeof place.sun_path)
        return ENAMETOOLONG;
    memcpy(place.sun_path, path, n);
    if (*path == '@')
        place.sun_path[0] = '\0';
    return try_connect((const struct sockaddr *)&place,
                       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n +
                                   (*path == '@' ? 0 : 1)),
                       until);
}

static int
probe_tcp(const struct addrinfo *found, int64_t until)
{
    int error = EHOSTUNREACH;

    for (; found; found = found->ai_next) {
        error = try_connect(found->ai_addr, found->ai_addrlen, until);
        if (error == 0)
            break;
    }
    return error;
}

/* Of the last of its addresses that was tried. */
static int
not_there(struct err *err, const char *address, int error)
{
    if (error == ENOENT)
        return err_set(err, ERR_UNAVAILABLE,
                       "no broker at %s: there is no such socket", address);
    if (error == ECONNREFUSED)
        return err_set(err, ERR_UNAVAILABLE,
                       "no broker at %s: the connection is refused", address);
    if (error == ETIMEDOUT)
        return err_set(err, ERR_UNAVAILABLE,
                       "no broker at %s: nobody answers there", address);
    return err_set(err, ERR_UNAVAILABLE, "no broker at %s: %s", address,
                   strerror(error));
}

int
link_probe(const char *address, int64_t timeout, struct err *err)
{
    int64_t until = span_mono() + timeout;
    struct addrinfo *found = NULL;
    struct place place;
    int rc;

    if (address_is_ipc(address)) {
        rc = probe_ipc(address, until);
        return rc == 0 ? 0 : not_there(err, address, rc);
    }
    if (!begins_with(address, TCP) || !split(&place, address + sizeof TCP - 1))
        return not_an_address(err, address, "it is not whole");
    rc = resolve(&found, &place, AF_UNSPEC);
    if (rc != 0)
        return err_set(err, ERR_UNAVAILABLE, "the host %s is not known: %s",
                       place.host, gai_strerror(rc));
    rc = probe_tcp(found, until);
    freeaddrinfo(found);
    return rc == 0 ? 0 : not_there(err, address, rc);
}
