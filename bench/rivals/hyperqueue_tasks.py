# SPDX-License-Identifier: MPL-2.0
"""HyperQueue on this machine: prints the seconds of
    true N [K]  N runs of true in K (1) slots, from submission to the end
    chain N     N of them in one slot, each after the one before
    one         one of them, submitted to a cluster that waits
    cluster     a server, a worker, one of them, and down again"""
import os
import sys
import tempfile
import time

from hyperqueue import Job
from hyperqueue.cluster import LocalCluster, WorkerConfig


def make_job(what, n):
    job = Job()
    last = []
    for i in range(n):
        task = job.program(["true", str(i)], stdout=None, stderr=None,
                           deps=last)
        if what == "chain":
            last = [task]
    return job


what = sys.argv[1]
n = int(sys.argv[2]) if len(sys.argv) > 2 else 1
slots = int(sys.argv[3]) if len(sys.argv) > 3 else 1
os.chdir(tempfile.mkdtemp())
start = time.perf_counter()
with LocalCluster() as cluster:
    cluster.start_worker(WorkerConfig(cores=slots))
    client = cluster.client()
    job = make_job(what, n)
    if what != "cluster":
        start = time.perf_counter()
    client.wait_for_jobs([client.submit(job)])
    if what != "cluster":
        print(time.perf_counter() - start)
if what == "cluster":
    print(time.perf_counter() - start)
