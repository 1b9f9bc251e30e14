/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/api_cluster.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"
#include "lib/client.h"
#include "lib/cluster.h"
#include "lib/runs.h"

#define PATIENCE (300 * SPAN_SECOND) /* with a broker that went away */

leat_executor
leat_cluster(const char *address)
{
    return (leat_executor){.kind = address ? API_BROKER : API_TEMPORARY,
                           .address = address};
}

leat_executor
leat_cluster_of(unsigned slots)
{
    return (leat_executor){.kind = API_TEMPORARY, .slots = slots};
}

static int
check_cluster(void *ctx, struct err *err)
{
    return ctx ? cluster_check(ctx, err) : 0;
}

static int
submit(struct client *client, const struct local_request *request,
       struct cluster *cluster, uint64_t *run, struct err *err)
{
    char *program = flow_needs_program(request->flow)
                        ? realpath("/proc/self/exe", NULL)
                        : NULL;
    struct client_submit what = {
        .request = request,
        .program = program,
        .program_travels = !cluster,
        .check = check_cluster,
        .ctx = cluster,
    };
    int rc = client_submit(client, &what, run, err);

    free(program);
    return rc;
}

static int
follow(struct client *client, const struct local_request *request, uint64_t run,
       struct cluster *cluster, struct local_result *ret, struct err *err)
{
    struct client_follow what = {
        .flow = request->flow,
        .params = request->params,
        .run = run,
        .watch = request->watch,
        .interrupt_fd = request->interrupt_fd,
        .patience = cluster ? 0 : PATIENCE,
        .check = check_cluster,
        .ctx = cluster,
    };

    return client_follow(client, &what, ret, err);
}

int
api_cluster_run(const leat_executor *executor,
                const struct local_request *request, const char *store,
                struct local_result *ret, struct err *err)
{
    bool temporary = executor->kind == API_TEMPORARY;
    struct cluster *cluster = NULL;
    struct client *client = NULL;
    uint64_t run = 0;
    int rc = -1;

    if (temporary &&
        (local_refuse(request, err) < 0 ||
         cluster_start(&cluster, executor->slots, store, request, err) < 0))
        return -1;
    if (client_open(&client,
                    cluster ? cluster_address(cluster) : executor->address,
                    err) == 0 &&
        submit(client, request, cluster, &run, err) == 0)
        rc = follow(client, request, run, cluster, ret, err);
    if (rc == 0 && temporary && !store)
        ret->id = 0; /* gone with its store */
    client_close(&client);
    cluster_stop(&cluster);
    return rc;
}

static int
open_broker(const leat_executor *executor, struct client **ret, struct err *err)
{
    if (executor->kind != API_BROKER)
        return err_set(err, ERR_INVALID,
                       "only what a broker has can be waited for: executor is "
                       "not leat_cluster(address)");
    return client_open(ret, executor->address, err);
}

int
api_cluster_submit(const leat_executor *executor,
                   const struct local_request *request, uint64_t *run,
                   struct err *err)
{
    struct client *client = NULL;
    int rc = -1;

    if (open_broker(executor, &client, err) == 0)
        rc = submit(client, request, NULL, run, err);
    client_close(&client);
    return rc;
}

static int
check_flow(const struct flow *flow, const struct store_run *info,
           struct err *err)
{
    char *text = flow_to_text(flow);
    bool same = strlen(text) == info->source_len &&
                memcmp(text, info->source, info->source_len) == 0;

    free(text);
    if (same)
        return 0;
    return err_set(err, ERR_INVALID, "run %" PRIu64 " is of another flow",
                   info->id);
}

int
api_cluster_wait(const leat_executor *executor,
                 const struct local_request *request, uint64_t run,
                 struct local_result *ret, struct err *err)
{
    struct local_request own = *request;
    struct client *client = NULL;
    struct store_run info = {0};
    struct runs *runs = NULL;
    int rc = -1;

    if (open_broker(executor, &client, err) < 0)
        return -1;
    runs = runs_of_broker(&client);
    if (runs_get(runs, run, true, &info, err) == 0 &&
        check_flow(request->flow, &info, err) == 0) {
        own.params = info.params;
        rc = follow(runs_client(runs), &own, run, NULL, ret, err);
    }
    store_run_release(&info);
    runs_close(&runs);
    return rc;
}
