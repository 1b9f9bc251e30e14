/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/tokens.h"

#include <stdlib.h>

#include "base/mem.h"
#include "proto/limits.h"

struct entry {
    uint64_t token; /* 0: free */
    uint64_t run;   /* 0: under way */
    struct broker_items waiting;
};

/* More than can be under way, so there is always one to be forgotten. */
_Static_assert(LIMIT_SUBMISSIONS > LIMIT_ACTIVE_RUNS, "no room for what comes");

struct broker_tokens {
    struct entry entries[LIMIT_SUBMISSIONS]; /* a ring */
    unsigned next;
};

struct broker_tokens *
broker_tokens_new(void)
{
    return mem_alloc(1, sizeof(struct broker_tokens));
}

void
broker_tokens_destroy(struct broker_tokens **self_p)
{
    struct broker_tokens *self = *self_p;

    if (!self)
        return;
    *self_p = NULL;
    for (unsigned i = 0; i < LIMIT_SUBMISSIONS; i++) {
        struct broker_items *waiting = &self->entries[i].waiting;
        struct broker_question *question;

        while ((question = (struct broker_question *)STAILQ_FIRST(waiting))) {
            STAILQ_REMOVE_HEAD(waiting, link);
            broker_question_destroy(&question);
        }
    }
    free(self);
}

static struct entry *
find(const struct broker_tokens *self, uint64_t token)
{
    for (unsigned i = 0; token != 0 && i < LIMIT_SUBMISSIONS; i++) {
        if (self->entries[i].token == token)
            return (struct entry *)(uintptr_t)&self->entries[i];
    }
    return NULL;
}

/* The oldest is forgotten, if it is not under way. */
static void
add(struct broker_tokens *self, uint64_t token, uint64_t run)
{
    struct entry *entry;

    do {
        entry = &self->entries[self->next];
        self->next = (self->next + 1) % LIMIT_SUBMISSIONS;
    } while (entry->token != 0 && entry->run == 0);
    *entry = (struct entry){.token = token, .run = run};
    STAILQ_INIT(&entry->waiting);
}

static bool
load_one(void *ctx, uint64_t run, uint64_t token)
{
    add(ctx, token, run);
    return true;
}

int
broker_tokens_load(struct broker_tokens *self, struct store *store,
                   struct err *err)
{
    return store_submissions(store, LIMIT_SUBMISSIONS / 2, load_one, self, err);
}

uint64_t
broker_tokens_run(const struct broker_tokens *self, uint64_t token)
{
    const struct entry *entry = find(self, token);

    return entry ? entry->run : 0;
}

bool
broker_tokens_begin(struct broker_tokens *self, uint64_t token,
                    struct broker_question *question)
{
    struct entry *entry = find(self, token);

    if (entry && entry->run == 0) {
        STAILQ_INSERT_TAIL(&entry->waiting, &question->item, link);
        return false;
    }
    if (token != 0)
        add(self, token, 0);
    return true;
}

void
broker_tokens_end(struct broker_tokens *self, uint64_t token, uint64_t run,
                  struct broker_items *waiting)
{
    struct entry *entry = find(self, token);

    if (!entry)
        return;
    STAILQ_CONCAT(waiting, &entry->waiting);
    entry->run = run;
    if (run == 0)
        entry->token = 0;
}
