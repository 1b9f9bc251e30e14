# SPDX-License-Identifier: MPL-2.0
"""Run random flows with the plan and with Prefect 1.4, compare all states.

    prefect_plan.py DRIVER [FLOWS [FIRST_SEED]]

DRIVER is the program built from plan_driver.c. A difference prints the seed,
the flow as DRIVER reads it, and both sides.

Known differences, all deliberate, and so not drawn:
- constants: a mapped task over a constant has an upstream in Prefect, with us
  none; so every map here goes over tasks;
- not-all-skipped without any upstream: Prefect skips, we run;
- zip: Prefect maps over the shortest of its lists, lists of different lengths
  are an error with us; so the sources of one map are equally long;
- products, flatten of children that failed, and max-parallel: Prefect has no
  such thing, or another;
- a map over several tasks of which one ended without any result (a map that
  could not be expanded): Prefect takes the run for a repeated one and loses
  all children without a word; with us each child's trigger sees the failure.
  Such flows are run, told by the lost children, and counted apart;
- two edges between the same two tasks: one with us, and in Prefect a mapped
  one is seen twice by some-triggers.
"""
import os
import random
import subprocess
import sys

os.environ.setdefault("PREFECT__LOGGING__LEVEL", "CRITICAL")

import prefect  # noqa: E402
from prefect import triggers  # noqa: E402
from prefect.engine import signals  # noqa: E402
from prefect.engine.flow_runner import FlowRunner  # noqa: E402

TRIGGERS = [
    triggers.all_successful,
    triggers.all_failed,
    triggers.any_successful,
    triggers.any_failed,
    triggers.all_finished,
    triggers.not_all_skipped,
    triggers.manual_only,
    triggers.some_successful,
    triggers.some_failed,
]
NOT_ALL_SKIPPED, MANUAL_ONLY, SOME_SUCCESSFUL = 5, 6, 7
SKIPPED, FAILED = 8, 9  # enum plan_state
STATES = {
    "Pending": "waiting",
    "Paused": "paused",
    "Mapped": "mapped",
    "Success": "succeeded",
    "Skipped": "skipped",
    "Failed": "failed",
    "TriggerFailed": "trigger-failed",
}


class Spec:
    """One task of a random flow."""

    def __init__(self, rng, number, earlier):
        self.number = number
        self.mapped = bool(earlier) and rng.random() < 0.55
        self.skips = rng.random() < 0.65
        self.over, self.need = [], []
        self.length = rng.choice([0, 1, 2, 2, 3, 3])
        if self.mapped:
            self.draw_sources(rng, earlier)
        density = rng.choice([0.1, 0.25, 0.5])
        for other in earlier:
            if other not in self.over and rng.random() < density:
                self.need.append(other)
        self.draw_trigger(rng)
        self.ends = {}
        for child in [-1] if not self.mapped else range(self.length):
            luck = rng.random()
            if luck < 0.2:
                self.ends[child] = FAILED
            elif luck < 0.4:
                self.ends[child] = SKIPPED

    def draw_sources(self, rng, earlier):
        first = rng.choice(earlier)
        self.length = first.length
        alike = [t for t in earlier if t.length == first.length]
        self.over = [first]
        for other in alike:
            if other is not first and rng.random() < 0.25:
                self.over.append(other)

    def draw_trigger(self, rng):
        self.trigger = 0
        if rng.random() < 0.6:
            self.trigger = rng.randrange(len(TRIGGERS))
        if self.trigger == MANUAL_ONLY and rng.random() < 0.7:
            self.trigger = 0
        if self.trigger == NOT_ALL_SKIPPED and not self.over + self.need:
            self.trigger = 0
        bounds = [-1, 0, 0.25, 0.5, 0.75, 1, 2]
        self.at_least, self.at_most = rng.choice(bounds), rng.choice(bounds)

    def lines(self):
        yield "task %d %d %d %g %g %d" % (
            self.mapped, self.skips, self.trigger,
            self.at_least, self.at_most, self.length)

    def edge_lines(self):
        for other in self.need:
            yield "need %d %d" % (other.number, self.number)
        for other in self.over:
            yield "over %d %d" % (other.number, self.number)
        for child, end in self.ends.items():
            yield "end %d %d %d" % (self.number, child, end)


class SpecTask(prefect.Task):
    """A task that ends as its spec says."""

    def __init__(self, spec):
        trigger = TRIGGERS[spec.trigger]
        if spec.trigger >= SOME_SUCCESSFUL:
            trigger = trigger(
                at_least=None if spec.at_least < 0 else spec.at_least,
                at_most=None if spec.at_most < 0 else spec.at_most)
        super().__init__(name="t%d" % spec.number, trigger=trigger,
                         skip_on_upstream_skip=spec.skips)
        self.spec = spec

    def run(self, **sources):
        child = prefect.context.get("map_index")
        end = self.spec.ends.get(-1 if child is None else child)
        if end == FAILED:
            raise signals.FAIL("told to")
        if end == SKIPPED:
            raise signals.SKIP("told to")
        return list(range(self.spec.length))


def draw(seed):
    rng = random.Random(seed)
    specs = []
    for number in range(rng.randint(2, 9)):
        specs.append(Spec(rng, number, list(specs)))
    return specs


def run_prefect(specs):
    flow = prefect.Flow("random")
    tasks = [SpecTask(spec) for spec in specs]
    for task in tasks:
        flow.add_task(task)
    for spec, task in zip(specs, tasks):
        for other in spec.need:
            flow.add_edge(tasks[other.number], task)
        for other in spec.over:
            flow.add_edge(tasks[other.number], task,
                          key="t%d" % other.number, mapped=True)
    state = FlowRunner(flow=flow).run(return_tasks=flow.tasks)
    lines = []
    for spec, task in zip(specs, tasks):
        end = state.result[task]
        lines.append("%d %s" % (spec.number, STATES[type(end).__name__]))
        if end.is_mapped():
            if end.n_map_states != len(end.map_states):
                return None
            lines += ["%d[%d] %s" % (spec.number, k, STATES[type(s).__name__])
                      for k, s in enumerate(end.map_states)]
    return lines


def run_plan(driver, text):
    done = subprocess.run([driver], input=text, text=True, check=True,
                          stdout=subprocess.PIPE)
    return done.stdout.splitlines()


def compare(driver, seed, seen):
    specs = draw(seed)
    lines = [line for spec in specs for line in spec.lines()]
    lines += [line for spec in specs for line in spec.edge_lines()]
    theirs = run_prefect(specs)
    ours = run_plan(driver, "\n".join(lines) + "\n")
    if theirs is None:
        seen["lost"] = seen.get("lost", 0) + 1
        return True
    for line in theirs:
        state = line.split()[1]
        seen[state] = seen.get(state, 0) + 1
    if ours == theirs:
        return True
    print("seed %d differs" % seed)
    print("\n".join(lines))
    mine, other = (dict(line.split() for line in x) for x in (ours, theirs))
    for name in sorted(set(mine) | set(other)):
        if mine.get(name) != other.get(name):
            print("  %s: plan %s, prefect %s" %
                  (name, mine.get(name), other.get(name)))
    return False


def main():
    driver = sys.argv[1]
    nflow = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    seen = {}
    differ = 0
    for seed in range(first, first + nflow):
        differ += not compare(driver, seed, seen)
    lost = seen.pop("lost", 0)
    print("states seen: %s" % ", ".join(
        "%d %s" % (n, state) for state, n in sorted(seen.items())))
    print("%d flows, in %d Prefect lost children, %d others differ" %
          (nflow, lost, differ))
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
