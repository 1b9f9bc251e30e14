/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/queue.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"

struct broker_queue {
    pthread_mutex_t mutex;
    struct broker_items items;
    int fd; /* an eventfd, not zero while there are items */
};

int
broker_queue_new(struct broker_queue **ret, struct err *err)
{
    struct broker_queue *self = mem_alloc(1, sizeof *self);

    self->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->fd < 0) {
        free(self);
        return err_system(err, "can't make a queue");
    }
    (void)pthread_mutex_init(&self->mutex, NULL);
    STAILQ_INIT(&self->items);
    *ret = self;
    return 0;
}

void
broker_queue_destroy(struct broker_queue **self_p)
{
    struct broker_queue *self = *self_p;

    if (!self)
        return;
    *self_p = NULL;
    assert(STAILQ_EMPTY(&self->items));
    (void)pthread_mutex_destroy(&self->mutex);
    (void)close(self->fd);
    free(self);
}

void
broker_queue_put(struct broker_queue *self, struct broker_item *item)
{
    uint64_t one = 1;

    (void)pthread_mutex_lock(&self->mutex);
    /* Under the lock, so that it is not zero while something is there. */
    if (STAILQ_EMPTY(&self->items))
        (void)!write(self->fd, &one, sizeof one);
    STAILQ_INSERT_TAIL(&self->items, item, link);
    (void)pthread_mutex_unlock(&self->mutex);
}

void
broker_queue_take(struct broker_queue *self, struct broker_items *items)
{
    uint64_t count;

    (void)pthread_mutex_lock(&self->mutex);
    if (!STAILQ_EMPTY(&self->items))
        (void)!read(self->fd, &count, sizeof count);
    STAILQ_CONCAT(items, &self->items);
    (void)pthread_mutex_unlock(&self->mutex);
}

void
broker_queue_wait(struct broker_queue *self, int64_t timeout)
{
    struct pollfd wait = {.fd = self->fd, .events = POLLIN};
    int64_t ms = (timeout + SPAN_MS - 1) / SPAN_MS;

    (void)poll(&wait, 1, timeout < 0 ? -1 : ms > 60000 ? 60000 : (int)ms);
}

int
broker_queue_fd(const struct broker_queue *self)
{
    return self->fd;
}
