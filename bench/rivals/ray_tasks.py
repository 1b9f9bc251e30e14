# SPDX-License-Identifier: MPL-2.0
"""Ray on this machine, two processors: prints the seconds of
    noop N    N tasks that do nothing, from submission to the last result
    chain N   N of them, each after the one before
    cluster   a cluster, one task, and down again"""
import sys
import time

import ray

what = sys.argv[1]
n = int(sys.argv[2]) if len(sys.argv) > 2 else 1
start = time.perf_counter()
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False,
         logging_level="error")


@ray.remote
def noop(i):
    return None


if what != "cluster":
    ray.get([noop.remote(i) for i in range(4)])
    start = time.perf_counter()
if what == "chain":
    last = None
    for _ in range(n):
        last = noop.remote(last)
    ray.get(last)
else:
    ray.get([noop.remote(i) for i in range(n)])
if what != "cluster":
    print(time.perf_counter() - start)
ray.shutdown()
if what == "cluster":
    print(time.perf_counter() - start)
