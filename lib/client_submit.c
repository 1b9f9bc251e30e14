/* SPDX-License-Identifier: MPL-2.0 */
/*
 * client_submit - what goes up to a broker: runs, what they are gone on with,
 * and programs of C flows.
 */
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "flow/value.h"
#include "lib/client_impl.h"
#include "proto/limits.h"
#include "proto/programs.h"

static int
send_chunk(struct client *self, uint64_t tag, uint64_t offset, const void *data,
           size_t n, struct err *err)
{
    Wire__Chunk chunk;

    wire__chunk__init(&chunk);
    chunk.tag = tag;
    chunk.offset = offset;
    chunk.data.data = (uint8_t *)(uintptr_t)data;
    chunk.data.len = n;
    return client_send(self, WIRE_CHUNK, &chunk.base, err);
}

static size_t
piece_of(uint64_t left)
{
    return left < LIMIT_CHUNK_BYTES ? (size_t)left : LIMIT_CHUNK_BYTES;
}

/* ---- a program ---- */

struct program {
    int fd;
    uint64_t bytes;
    unsigned char hash[PROGRAM_HASH];
    unsigned char *piece; /* room for one */
};

static int
read_piece(const struct program *self, uint64_t offset, size_t n,
           struct err *err)
{
    size_t have = 0;

    while (have < n) {
        ssize_t got = pread(self->fd, self->piece + have, n - have,
                            (off_t)(offset + have));

        if (got < 0)
            return err_system(err, "can't read the program");
        if (got == 0)
            return err_set(err, ERR_INVALID,
                           "the program became shorter while it was read");
        have += (size_t)got;
    }
    return 0;
}

static int
open_program(struct program *self, const char *path, struct err *err)
{
    struct stat st;

    self->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (self->fd < 0 || fstat(self->fd, &st) < 0)
        return err_system(err, "can't read the program %s", path);
    self->bytes = (uint64_t)st.st_size;
    if (self->bytes > LIMIT_PROGRAM_BYTES)
        return err_set(err, ERR_LIMIT,
                       "the program %s is larger than %u MiB, which no agent "
                       "takes",
                       path, LIMIT_PROGRAM_BYTES >> 20);
    if (programs_hash(self->fd, self->hash) < 0)
        return err_system(err, "can't read the program %s", path);
    self->piece = mem_alloc(LIMIT_CHUNK_BYTES, 1);
    return 0;
}

/* A broker that has it already says so: then nothing is sent. */
static int
send_program(struct client *self, struct program *program, struct err *err)
{
    Wire__Blob blob;
    uint64_t tag = ++self->tag;
    uint64_t had = 0;

    wire__blob__init(&blob);
    blob.tag = tag;
    blob.hash.data = program->hash;
    blob.hash.len = PROGRAM_HASH;
    blob.bytes = program->bytes;
    if (client_send(self, WIRE_BLOB, &blob.base, err) < 0 ||
        client_answer(self, tag, NULL, &had, err) < 0)
        return -1;
    if (had >= program->bytes)
        return 0;
    while (had < program->bytes) {
        size_t n = piece_of(program->bytes - had);

        if (read_piece(program, had, n, err) < 0 ||
            send_chunk(self, tag, had, program->piece, n, err) < 0)
            return -1;
        had += n;
    }
    return client_answer(self, tag, NULL, NULL, err) < 0 ? -1 : 0;
}

static int
upload(struct client *self, const char *path, unsigned char hash[PROGRAM_HASH],
       struct err *err)
{
    struct program program = {.fd = -1};
    int rc = -1;

    if (open_program(&program, path, err) == 0)
        rc = send_program(self, &program, err);
    memcpy(hash, program.hash, PROGRAM_HASH);
    if (program.fd >= 0)
        (void)close(program.fd);
    free(program.piece);
    return rc;
}

/* ---- a run ---- */

/*
 * What a C flow's program is called: its hash where it travels, else its path
 * (work_program_is_hash tells which).
 */
static int
name_program(struct client *self, const struct client_submit *submit,
             struct buf *ret, struct err *err)
{
    unsigned char hash[PROGRAM_HASH];

    if (!submit->program)
        return 0;
    if (submit->program_travels) {
        if (upload(self, submit->program, hash, err) < 0)
            return -1;
        buf_add(ret, hash, PROGRAM_HASH);
        return 0;
    }
    buf_text(ret, submit->program);
    return 0;
}

static void
put_options(const struct store_run *info, struct buf *ret)
{
    json_t *options = info->options ? json_copy(info->options) : json_object();

    if (info->env)
        (void)json_object_set(options, "env", info->env);
    value_json(options, ret);
    json_decref(options);
}

static ProtobufCBinaryData
bytes_of(const struct buf *buf)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)buf->data, .len = buf->len};
}

static char *
text_of(const char *text)
{
    return (char *)(uintptr_t)(text ? text : "");
}

static int
send_source(struct client *self, uint64_t tag, const struct store_run *info,
            struct err *err)
{
    for (uint64_t at = 0; at < info->source_len;) {
        size_t n = piece_of(info->source_len - at);

        if (send_chunk(self, tag, at, info->source + at, n, err) < 0)
            return -1;
        at += n;
    }
    return 0;
}

static int
send_submit(struct client *self, const struct client_submit *submit,
            const struct buf *program, uint64_t token, uint64_t *run,
            struct err *err)
{
    const struct store_run *info = submit->request->info;
    Wire__Submit message;
    unsigned char hash[32];
    struct buf params = {0};
    struct buf options = {0};
    uint64_t tag = ++self->tag;
    int rc = -1;

    wire__submit__init(&message);
    (void)crypto_generichash(hash, sizeof hash,
                             (const unsigned char *)info->source,
                             info->source_len, NULL, 0);
    value_json(submit->request->params, &params);
    put_options(info, &options);
    message.tag = tag;
    message.name = text_of(info->name);
    message.file = text_of(info->file);
    message.cwd = text_of(info->cwd);
    message.params = bytes_of(&params);
    message.options = bytes_of(&options);
    message.source_bytes = info->source_len;
    message.source_hash.data = hash;
    message.source_hash.len = sizeof hash;
    message.program = bytes_of(program);
    message.timeout = submit->request->timeout;
    message.no_cache = submit->request->no_cache;
    message.token = token;
    if (client_send(self, WIRE_SUBMIT, &message.base, err) == 0 &&
        send_source(self, tag, info, err) == 0) {
        self->sent = true;
        rc = client_answer(self, tag, NULL, run, err) >= 0 ? 0 : -1;
    }
    buf_release(&params);
    buf_release(&options);
    return rc;
}

static int
try_submit(struct client *self, const struct client_submit *submit,
           uint64_t token, uint64_t *run, struct err *err)
{
    struct buf program = {0};
    int rc = -1;

    self->sending = true;
    self->sent = self->lost = false;
    if (name_program(self, submit, &program, err) == 0)
        rc = send_submit(self, submit, &program, token, run, err);
    self->sending = false;
    buf_release(&program);
    return rc;
}

/* The broker is there again, and not what has never been one; else *err stays
 * as it is, or says why it can't be. */
static bool
found_again(struct client *self, const struct client_submit *submit,
            int64_t until, struct err *err)
{
    int before = self->interrupts;
    struct err ignored;

    while (span_mono() < until && self->interrupts == before) {
        if (submit->check && submit->check(submit->ctx, err) < 0)
            return false;
        if (client_connect_again(self, &ignored) == 0)
            return true;
        if (self->socket && !self->heard)
            break;
        client_rest(self);
    }
    return false;
}

int
client_submit(struct client *self, const struct client_submit *submit,
              uint64_t *run, struct err *err)
{
    int64_t until = span_mono() + CLIENT_ANSWER;
    uint64_t token = 0;
    int rc;

    if (sodium_init() < 0)
        return err_set(err, ERR_SYSTEM, "libsodium can't be used");
    while (token == 0)
        randombytes_buf(&token, sizeof token);
    /* The run may have begun, though its answer was lost with the broker or
     * with the connection: by the token it is not begun twice. */
    do {
        rc = try_submit(self, submit, token, run, err);
    } while (rc < 0 && self->lost && found_again(self, submit, until, err));
    return rc;
}

int
client_retry(struct client *self, const struct local_request *request,
             struct err *err)
{
    const struct history *history = request->resume;
    json_t *options = json_object();
    struct buf text = {0};
    Wire__Ask ask;
    int rc = -1;

    if (request->env)
        (void)json_object_set(options, "env", request->env);
    if (request->timeout > 0)
        (void)json_object_set_new(options, "timeout",
                                  json_integer(request->timeout));
    value_json(options, &text);
    wire__ask__init(&ask);
    ask.tag = ++self->tag;
    ask.what = ASK_RETRY;
    ask.run = history->info.id;
    ask.text = text_of(request->from == PLAN_NONE
                           ? NULL
                           : history->flow->tasks[request->from].name);
    ask.options = bytes_of(&text);
    if (client_send(self, WIRE_ASK, &ask.base, err) == 0 &&
        client_answer(self, ask.tag, NULL, NULL, err) >= 0)
        rc = 0;
    json_decref(options);
    buf_release(&text);
    return rc;
}
