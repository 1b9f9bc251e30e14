/* SPDX-License-Identifier: MPL-2.0 */
/*
 * zmq_late - libzmq, opened when a cluster is used for the first time.
 *
 * Linking with it costs each start of a program 1 ms, as it comes with eleven
 * libraries more, and a local run needs none of them. So the command and the
 * library have functions of the same names, which go on to the real ones. What
 * is linked with libzmq all the same, as the daemons are, is linked without
 * these.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <zmq.h>

#define LIBRARY "libzmq.so.5"

/* Its header would show them to whoever uses our library, too. */
#define OURS(name)                                                  \
    extern __typeof__(zmq_##name) late_##name __asm__("zmq_" #name) \
        __attribute__((visibility("hidden")))

#define ALL(DO)     \
    DO(ctx_new);    \
    DO(ctx_set);    \
    DO(socket);     \
    DO(close);      \
    DO(setsockopt); \
    DO(getsockopt); \
    DO(bind);       \
    DO(connect);    \
    DO(send);       \
    DO(recv);       \
    DO(msg_init);   \
    DO(msg_recv);   \
    DO(msg_data);   \
    DO(msg_size);   \
    DO(msg_close);  \
    DO(strerror)

ALL(OURS);
OURS(errno);

#define POINTER(name) __typeof__(zmq_##name) *name
static struct {
    ALL(POINTER);
    char problem[200]; /* why it could not be opened */
} zmq;

static int
find(void *library, const char *name, void *pointer)
{
    void *symbol = dlsym(library, name);

    memcpy(pointer, &symbol, sizeof symbol);
    return symbol ? 0 : -1;
}

static int
open_library(void)
{
    void *library = dlopen(LIBRARY, RTLD_LAZY | RTLD_LOCAL);
    int missing = library ? 0 : -1;

#define FIND(name) missing |= find(library, "zmq_" #name, &zmq.name)
    if (library) {
        ALL(FIND);
    }
    if (missing == 0)
        return 0;
    (void)snprintf(zmq.problem, sizeof zmq.problem, "%s", dlerror());
    errno = ELIBACC;
    return -1;
}

/* The first of all, called once: see link_socket. Without a context nothing
 * else is called but for the error. */
void *
late_ctx_new(void)
{
    return open_library() < 0 ? NULL : zmq.ctx_new();
}

int
late_errno(void)
{
    return errno;
}

const char *
late_strerror(int error)
{
    return zmq.problem[0] ? zmq.problem : zmq.strerror(error);
}

int
late_ctx_set(void *context, int option, int value)
{
    return zmq.ctx_set(context, option, value);
}

void *
late_socket(void *context, int type)
{
    return zmq.socket(context, type);
}

int
late_close(void *socket)
{
    return zmq.close(socket);
}

int
late_setsockopt(void *socket, int option, const void *value, size_t n)
{
    return zmq.setsockopt(socket, option, value, n);
}

int
late_getsockopt(void *socket, int option, void *value, size_t *n)
{
    return zmq.getsockopt(socket, option, value, n);
}

int
late_bind(void *socket, const char *endpoint)
{
    return zmq.bind(socket, endpoint);
}

int
late_connect(void *socket, const char *endpoint)
{
    return zmq.connect(socket, endpoint);
}

int
late_send(void *socket, const void *data, size_t n, int flags)
{
    return zmq.send(socket, data, n, flags);
}

int
late_recv(void *socket, void *data, size_t n, int flags)
{
    return zmq.recv(socket, data, n, flags);
}

int
late_msg_init(zmq_msg_t *message)
{
    return zmq.msg_init(message);
}

int
late_msg_recv(zmq_msg_t *message, void *socket, int flags)
{
    return zmq.msg_recv(message, socket, flags);
}

void *
late_msg_data(zmq_msg_t *message)
{
    return zmq.msg_data(message);
}

size_t
late_msg_size(const zmq_msg_t *message)
{
    return zmq.msg_size(message);
}

int
late_msg_close(zmq_msg_t *message)
{
    return zmq.msg_close(message);
}
