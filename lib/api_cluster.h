/* SPDX-License-Identifier: MPL-2.0 */
/*
 * api_cluster - runs of leat.h that a broker carries out.
 */
#ifndef LIB_API_CLUSTER_H
#define LIB_API_CLUSTER_H

#include "lib/api.h"
#include "lib/local.h"

/* leat_executor.kind */
enum api_executor { API_LOCAL, API_BROKER, API_TEMPORARY };

/* As local_run; the store of the request is only named: NULL is none. */
int api_cluster_run(const leat_executor *executor,
                    const struct local_request *request, const char *store,
                    struct local_result *ret, struct err *err);

int api_cluster_submit(const leat_executor *executor,
                       const struct local_request *request, uint64_t *run,
                       struct err *err);

/* Wait for a run of the flow in the request, of which nothing but watch and
 * interrupt_fd matter else. */
int api_cluster_wait(const leat_executor *executor,
                     const struct local_request *request, uint64_t run,
                     struct local_result *ret, struct err *err);

#endif
