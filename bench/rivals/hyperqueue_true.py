# SPDX-License-Identifier: MPL-2.0
"""n runs of true under HyperQueue, a server and a worker of one slot; prints
the seconds from submission to the end."""
import os
import sys
import tempfile
import time

from hyperqueue import Job
from hyperqueue.cluster import LocalCluster, WorkerConfig

os.chdir(tempfile.mkdtemp())
with LocalCluster() as cluster:
    cluster.start_worker(WorkerConfig(cores=1))
    client = cluster.client()
    job = Job()
    for i in range(int(sys.argv[1])):
        job.program(["true", str(i)], stdout=None, stderr=None)
    start = time.perf_counter()
    client.wait_for_jobs([client.submit(job)])
    print(time.perf_counter() - start)
