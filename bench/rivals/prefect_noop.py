# SPDX-License-Identifier: MPL-2.0
"""n mapped tasks that do nothing under Prefect 1.4's LocalExecutor."""
import sys

from prefect import Flow, task


@task
def noop(i):
    return None


with Flow("noop") as flow:
    noop.map(list(range(int(sys.argv[1]))))
sys.exit(0 if flow.run().is_successful() else 1)
