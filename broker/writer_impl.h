/* SPDX-License-Identifier: MPL-2.0 */
/*
 * writer_impl - what both sides of the writer know: writer.c is the main
 * thread's, writer_thread.c the writer's. Nobody else includes this.
 */
#ifndef BROKER_WRITER_IMPL_H
#define BROKER_WRITER_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "broker/arena.h"
#include "broker/writer.h"

enum op_kind {
    OP_RECORD,
    OP_OUTPUT,
    OP_END,
    OP_CACHE,
    OP_BEGIN,
    OP_GO_ON,
    OP_CANCEL,
    OP_STOP,
    OP_REMOVE,
    OP_PRUNE,
    OP_COUNT
};

/* Texts are in the group's arena; values are counted references. */
struct op {
    enum op_kind kind;
    uint64_t run;
    void *tag;
    union {
        struct store_record record;
        struct {
            struct store_piece piece;
            uint64_t offset;
        } output;
        struct {
            enum store_run_state state;
            json_t *value;
            const char *problem;
        } end;
        struct {
            const char *key;
            json_t *value;
        } cache;
        struct store_run *begin;
        struct plan_id stop;
        struct {
            json_t *options, *env;
        } go_on;
        struct {
            size_t keep;
            int64_t age;
        } prune;
    } as;
};

struct group {
    struct broker_item item;
    struct op *ops;
    size_t n, cap;
    struct broker_arena texts;
    size_t bytes;
    uint64_t number; /* 0: nothing is to be said */
    bool last;       /* the thread ends after it */
};

struct broker_writer {
    /* the main thread's */
    struct group *open; /* or NULL */
    bool urgent;        /* somebody waits for what is in it */
    struct broker_items said;
    size_t behind;
    pthread_t thread;
    /* the writer's */
    struct store *store;
    bool trouble;
    /* between them */
    struct broker_queue *in, *out;
    atomic_int_fast64_t give_up; /* monotonic: no more trying; 0: never */
};

void broker_writer_destroy_group(struct group *group);
/* The thread: NULL if it had to give up. */
void *broker_writer_thread(void *arg);

#endif
