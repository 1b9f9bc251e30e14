/* SPDX-License-Identifier: MPL-2.0 */
/*
 * api_run - runs of a flow, and what became of them.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"
#include "flow/params.h"
#include "lib/api.h"
#include "lib/api_cluster.h"
#include "lib/local.h"
#include "lib/worker.h"
#include "store/store.h"

static_assert((int)LEAT_RUN_SUCCEEDED == STORE_SUCCEEDED, "leat_run_state");
static_assert((int)LEAT_RUN_FAILED == STORE_FAILED, "leat_run_state");
static_assert((int)LEAT_RUN_CANCELLED == STORE_CANCELLED, "leat_run_state");
static_assert((int)LEAT_RUN_PAUSED == STORE_PAUSED, "leat_run_state");

struct leat_result {
    leat_flow *flow; /* borrowed */
    struct local_result local;
    json_t **values; /* by task: handed out; NULL: not yet */
    json_t *null;
};

leat_executor
leat_local(void)
{
    return (leat_executor){0};
}

/* ---- running ---- */

/* Where 1 and 2 lead: while C functions run they lead elsewhere. */
struct output {
    int fds[2]; /* -1: closed */
};

/*
 * A daemon may have closed 0, 1 and 2: then what is opened next, the store
 * most likely, would be taken for them. One bit for each that was filled in.
 */
static unsigned
fill_standard(void)
{
    unsigned filled = 0;

    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) == fd)
            filled |= 1U << fd;
    }
    return filled;
}

static void
empty_standard(unsigned filled)
{
    for (int fd = 0; fd < 3; fd++) {
        if (filled >> fd & 1)
            (void)close(fd);
    }
}

static void
output_init(struct output *self)
{
    (void)fflush(stdout);
    for (int i = 0; i < 2; i++)
        self->fds[i] = fcntl(i + 1, F_DUPFD_CLOEXEC, 3);
}

static void
output_release(struct output *self)
{
    for (int i = 0; i < 2; i++) {
        if (self->fds[i] >= 0)
            (void)close(self->fds[i]);
    }
}

static void
pass_on(void *ctx, const struct run *run, struct plan_id id, int stream,
        const char *data, size_t n)
{
    const struct output *self = ctx;
    int fd = self->fds[stream == 1 ? 0 : 1];

    (void)run;
    (void)id;
    while (n > 0) {
        ssize_t done = write(fd, data, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;
        data += done;
        n -= (size_t)done;
    }
}

/* Everything that a run needs and that is gone after it. */
struct begun {
    json_t *params;
    struct store *store;
    struct store_run info;
    int64_t timeout;
};

static int
bind_params(leat_flow *flow, const json_t *given, json_t **ret, leat_err *err)
{
    json_t *none = json_object();
    struct buf problems = {0};
    int rc = 0;

    if (given && !json_is_object(given)) {
        buf_printf(&problems, "the parameters must be an object, this is %s",
                   value_type_name(given));
        rc = -1;
    } else {
        rc = params_bind(flow->flow, given ? given : none, ret, &problems);
    }
    if (rc < 0)
        (void)api_fail(err, ERR_INVALID, buf_str(&problems));
    json_decref(none);
    buf_release(&problems);
    return rc;
}

static int
open_store(const char *where, struct store **ret, leat_err *err)
{
    char *folder = *where != '\0' ? mem_dup(where) : store_default_folder();
    struct err why;
    int rc = store_open(ret, folder, STORE_WRITE, &why);

    free(folder);
    return rc < 0 ? api_fail(err, why.code, why.msg) : 0;
}

/* What the store is to know of the run. */
static void
describe(const leat_flow *flow, const leat_run_options *options,
         struct begun *self)
{
    self->info = (struct store_run){
        .flow = mem_dup(flow->flow->name),
        .name = mem_dup(options->name),
        .source = flow_to_text(flow->flow),
        .cwd = getcwd(NULL, 0),
        .params = json_incref(self->params),
    };
    self->info.source_len = strlen(self->info.source);
}

static int
begin(leat_flow *flow, const leat_run_options *options, struct begun *self,
      leat_err *err)
{
    if (leat_flow_check(flow, err) < 0 ||
        bind_params(flow, options->parameters, &self->params, err) < 0)
        return -1;
    if (options->timeout && span_parse(options->timeout, &self->timeout) < 0)
        return api_fail(err, ERR_INVALID,
                        "the time-out of the run is no length of time");
    if (options->store || options->executor.kind != API_LOCAL)
        describe(flow, options, self);
    if (!options->store || options->executor.kind != API_LOCAL)
        return 0;
    return open_store(options->store, &self->store, err);
}

/* By whoever was asked to. */
static int
carry_request(const leat_run_options *options,
              const struct local_request *request, struct local_result *ret,
              struct err *err)
{
    const char *store = options->store;
    char *folder = NULL;
    int rc;

    if (options->executor.kind == API_LOCAL)
        return local_run(request, ret, err);
    if (store && *store == '\0')
        store = folder = store_default_folder();
    rc = api_cluster_run(&options->executor, request, store, ret, err);
    free(folder);
    return rc;
}

static int
carry_out(leat_flow *flow, const leat_run_options *options,
          const struct begun *begun, struct local_result *ret, leat_err *err)
{
    struct output output;
    const struct local_watch watch = {.output = pass_on, .ctx = &output};
    const struct local_request request = {
        .flow = flow->flow,
        .params = begun->params,
        .store = begun->store,
        .info = &begun->info,
        .from = PLAN_NONE,
        .watch = options->quiet ? NULL : &watch,
        .handle = api_has_handlers(flow) ? api_handle : NULL,
        .handle_ctx = flow,
        .interrupt_fd = -1,
        .slots = options->executor.slots,
        .timeout = begun->timeout,
        .no_cache = options->no_cache,
    };
    struct err why;
    int rc;

    output_init(&output);
    rc = carry_request(options, &request, ret, &why);
    output_release(&output);
    if (rc == 0)
        return 0;
    local_result_release(ret);
    return api_fail(err, why.code, why.msg);
}

/* This process was started to make calls: it does, if they are this flow's. */
static int
serve(leat_flow *flow, leat_err *err)
{
    struct err why;

    if (leat_flow_check(flow, err) < 0)
        return -1;
    (void)worker_serve(flow->flow, api_has_handlers(flow) ? api_handle : NULL,
                       flow, &why);
    return api_fail(err, why.code, why.msg);
}

static void
make_result(leat_flow *flow, const struct local_result *local,
            leat_result **ret)
{
    leat_result *result = mem_alloc(1, sizeof *result);

    result->flow = flow;
    result->local = *local;
    result->values = mem_alloc(flow->flow->ntask, sizeof *result->values);
    result->null = json_null();
    if (ret)
        *ret = result;
    else
        leat_result_destroy(&result);
}

static void
end(struct begun *begun, const leat_run_options *options)
{
    store_close(&begun->store);
    store_run_release(&begun->info);
    json_decref(begun->params);
    json_decref(options->parameters);
}

int
leat_flow_run(leat_flow *flow, const leat_run_options *options,
              leat_result **ret, leat_err *err)
{
    const leat_run_options none = {0};
    struct local_result local = {0};
    struct begun begun = {0};
    unsigned filled = fill_standard();
    int rc = -1;

    if (!options)
        options = &none;
    if (worker_is_wanted())
        rc = serve(flow, err);
    else if (begin(flow, options, &begun, err) == 0)
        rc = carry_out(flow, options, &begun, &local, err);
    if (rc == 0)
        make_result(flow, &local, ret);
    end(&begun, options);
    empty_standard(filled);
    return rc;
}

int
leat_flow_submit(leat_flow *flow, const leat_run_options *options,
                 uint64_t *run, leat_err *err)
{
    const leat_run_options none = {0};
    struct begun begun = {0};
    unsigned filled = fill_standard();
    struct err why;
    int rc = -1;

    if (!options)
        options = &none;
    if (worker_is_wanted()) {
        rc = serve(flow, err);
    } else if (begin(flow, options, &begun, err) == 0) {
        const struct local_request request = {
            .flow = flow->flow,
            .params = begun.params,
            .info = &begun.info,
            .handle = api_has_handlers(flow) ? api_handle : NULL,
            .timeout = begun.timeout,
            .no_cache = options->no_cache,
        };

        rc = api_cluster_submit(&options->executor, &request, run, &why);
        if (rc < 0)
            (void)api_fail(err, why.code, why.msg);
    }
    end(&begun, options);
    empty_standard(filled);
    return rc;
}

int
leat_flow_wait(leat_flow *flow, const leat_run_options *options, uint64_t run,
               leat_result **ret, leat_err *err)
{
    const leat_run_options none = {0};
    struct output output;
    const struct local_watch watch = {.output = pass_on, .ctx = &output};
    const struct local_request request = {
        .flow = flow->flow,
        .watch = options && options->quiet ? NULL : &watch,
        .interrupt_fd = -1,
    };
    struct local_result local = {0};
    unsigned filled = fill_standard();
    struct err why;
    int rc;

    if (!options)
        options = &none;
    if (worker_is_wanted()) {
        rc = serve(flow, err);
    } else if (leat_flow_check(flow, err) < 0) {
        rc = -1;
    } else {
        output_init(&output);
        rc = api_cluster_wait(&options->executor, &request, run, &local, &why);
        output_release(&output);
        if (rc < 0)
            (void)api_fail(err, why.code, why.msg);
    }
    if (rc == 0)
        make_result(flow, &local, ret);
    else
        local_result_release(&local);
    empty_standard(filled);
    return rc;
}

/* ---- results ---- */

void
leat_result_destroy(leat_result **result_p)
{
    leat_result *self = *result_p;

    if (!self)
        return;
    for (size_t i = 0; i < self->flow->flow->ntask; i++)
        json_decref(self->values[i]);
    free(self->values);
    local_result_release(&self->local);
    free(self);
    *result_p = NULL;
}

leat_run_state
leat_result_run_state(const leat_result *result)
{
    return (leat_run_state)result->local.state;
}

bool
leat_result_is_success(const leat_result *result)
{
    return result->local.state == STORE_SUCCEEDED;
}

uint64_t
leat_result_run(const leat_result *result)
{
    return result->local.id;
}

/* The instance that a ref stands for; false if it is none of this run. */
static bool
find(const leat_result *self, leat_ref task, struct plan_id *ret)
{
    const struct plan *plan = run_plan(self->local.run);

    if (task.kind != API_TASK || task.flow != self->flow)
        return false;
    *ret = (struct plan_id){task.index, PLAN_WHOLE};
    if (task.child == 0)
        return true;
    ret->child = task.child - 1;
    return ret->child < plan_children(plan, task.index);
}

leat_state
leat_result_state(const leat_result *result, leat_ref task)
{
    struct plan_id id;

    if (!find(result, task, &id))
        return LEAT_WAITING;
    return (leat_state)plan_state(run_plan(result->local.run), id);
}

json_t *
leat_result_value(leat_result *result, leat_ref task)
{
    struct plan_id id;
    json_t *whole;

    if (!find(result, task, &id))
        return NULL;
    if (!result->values[id.task])
        result->values[id.task] =
            run_value(result->local.run, (struct plan_id){id.task, PLAN_WHOLE});
    whole = result->values[id.task];
    return id.child == PLAN_WHOLE ? whole : json_array_get(whole, id.child);
}

const char *
leat_result_cause(const leat_result *result, leat_ref task)
{
    struct plan_id id;

    return find(result, task, &id) ? run_cause(result->local.run, id) : NULL;
}

unsigned
leat_result_attempts(const leat_result *result, leat_ref task)
{
    struct plan_id id;

    return find(result, task, &id) ? run_attempts(result->local.run, id) : 0;
}

size_t
leat_result_children(const leat_result *result, leat_ref task)
{
    if (task.kind != API_TASK || task.flow != result->flow || task.child > 0)
        return 0;
    return plan_children(run_plan(result->local.run), task.index);
}

json_t *
leat_result_output(const leat_result *result)
{
    return result->local.output ? result->local.output : result->null;
}
