# SPDX-License-Identifier: MPL-2.0
"""The flow of examples/parallel.c under Prefect 1.4's LocalExecutor; prints the
seconds of the run alone."""
import random
import sys
import time

from prefect import Flow, Parameter, task


@task
def random_num(stop):
    number = random.randrange(stop)
    print(f"Your number is {number}")
    return number


@task
def sum_numbers(numbers):
    print(f"The sum is {sum(numbers)}")
    return sum(numbers)


with Flow("parallel-execution") as flow:
    stop = Parameter("stop")
    sum_numbers([random_num(stop), random_num(stop), random_num(stop)])
start = time.perf_counter()
state = flow.run(stop=5)
print(time.perf_counter() - start)
sys.exit(0 if state.is_successful() else 1)
