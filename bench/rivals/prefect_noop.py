# SPDX-License-Identifier: MPL-2.0
"""n mapped tasks that do nothing under Prefect 1.4's LocalExecutor; prints the
seconds of the run alone."""
import sys
import time

from prefect import Flow, task


@task
def noop(i):
    return None


with Flow("noop") as flow:
    noop.map(list(range(int(sys.argv[1]))))
start = time.perf_counter()
state = flow.run()
print(time.perf_counter() - start)
sys.exit(0 if state.is_successful() else 1)
