# SPDX-License-Identifier: MPL-2.0
"""Dask on this machine, two processes: prints the seconds of
    noop N    N tasks that do nothing, from submission to the last result
    chain N   N of them, each after the one before
    cluster   a cluster, one task, and down again"""
import sys
import time

from dask.distributed import Client, LocalCluster, wait


def noop(i):
    return None


def make():
    return LocalCluster(n_workers=2, threads_per_worker=1,
                        dashboard_address=None)


def main():
    what = sys.argv[1]
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    start = time.perf_counter()
    with make() as cluster, Client(cluster) as client:
        if what != "cluster":
            client.submit(noop, -1).result()
            start = time.perf_counter()
        if what == "chain":
            last = None
            for i in range(n):
                last = client.submit(noop, last, pure=False)
            last.result()
        else:
            wait(client.map(noop, range(n), pure=False))
        if what != "cluster":
            print(time.perf_counter() - start)
    if what == "cluster":
        print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
