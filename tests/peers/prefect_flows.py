# SPDX-License-Identifier: MPL-2.0
"""Run random flows with leat and with Prefect 1.4, compare what came of them.

    prefect_flows.py LEAT [FLOWS [FIRST_SEED]]

LEAT is the program. Each seed is a flow, written as a flow file for leat and
built from the same tasks in Prefect: their commands and functions compute the
same from what they are given, and end as the flow says for each child and
attempt. Compared are the state, value and attempts of every task and child,
and the outcome and output of the flow. A difference prints the seed, the flow
file and both sides.

Known differences, all deliberate, and so not drawn:
- constants and parameters are upstreams that succeeded in Prefect, and nothing
  at all with us; so tasks that are given one have a trigger for which that
  makes no difference;
- zip: Prefect maps over the shortest list, lists of different lengths are an
  error with us; a list that is not there (its task failed or was skipped) is a
  list of nothings in Prefect, or loses all children without a word, and fails
  the map with us; so what is paired has one length and surely exists;
- strings and objects: Prefect takes them for something to map over;
- flatten of what is no list: Prefect passes it on, with us it is an error;
- case: a hidden task upstream in Prefect, asked before the trigger and one
  more state for it, a condition of the task itself with us, asked after its
  trigger; so tasks with one have the default trigger, are skipped with what
  they depend on, and nothing else that they depend on may fail;
- case of a mapped task: Prefect skips the map as a whole, with us its children
  are; so it is only drawn on the value a child is made for, as Prefect's
  `switch(mapped=True)`;
- a task that skips itself has, if it does not say otherwise, the signal for a
  result in Prefect, which merge there takes for a value; so it says otherwise;
- merge: the first value that is not None in Prefect, the first branch that was
  not skipped with us; so no branch has the value null. Merged as lists, mapped
  branches are never None in Prefect, also if all children were skipped; a map
  over branches fails there if one was skipped as a whole, with us that branch
  is skipped for each child; so mapped branches are merged child to child, and
  surely have children;
- some-successful, some-failed: two edges between the same tasks are one with
  us; so with these triggers there are no such edges;
- not-all-skipped without any upstream: Prefect skips, we run;
- manual-only: not drawn on mapped tasks, whose children Prefect never resumes.

Told as what they are to us:
- what is not there (of a task that failed, or was skipped) is the exception or
  None in Prefect, and null with us;
- Prefect ends a run once the tasks that nothing depends on have ended, also if
  another one is about to be tried again; here its rounds go on until none is.
"""
import json
import os
import random
import subprocess
import sys
import tempfile
from datetime import timedelta

os.environ.setdefault("PREFECT__LOGGING__LEVEL", "CRITICAL")

import prefect  # noqa: E402
from prefect import case, flatten, triggers, unmapped  # noqa: E402
from prefect.engine import signals  # noqa: E402
from prefect.engine.flow_runner import FlowRunner  # noqa: E402
from prefect.tasks.control_flow import merge, switch  # noqa: E402

TRIGGERS = {
    "all-successful": triggers.all_successful,
    "all-failed": triggers.all_failed,
    "any-successful": triggers.any_successful,
    "any-failed": triggers.any_failed,
    "all-finished": triggers.all_finished,
    "not-all-skipped": triggers.not_all_skipped,
    "manual-only": triggers.manual_only,
    "some-successful": triggers.some_successful,
    "some-failed": triggers.some_failed,
}
STATES = {
    "Pending": "waiting",
    "Paused": "paused",
    "Mapped": "mapped",
    "Success": "succeeded",
    "Skipped": "skipped",
    "Failed": "failed",
    "TriggerFailed": "trigger-failed",
}
PARAM = [4, 5]
MAX_ROUNDS = 30  # of retries
MAX_SIZE = 60  # of a value, roughly: values of values grow


class Source:
    """What a name of a task is bound to."""

    def __init__(self, tasks=(), const=None, text=None, first=False):
        self.tasks, self.first = list(tasks), first
        self.const, self.text = const, text

    @property
    def task(self):
        return self.tasks[0]

    def leat(self):
        if self.first:
            return {"first": ["${%s}" % t.name for t in self.tasks]}
        if self.tasks:
            return "${%s}" % self.task.name
        return self.text or self.const


class Spec:
    """One task of a random flow, and what is known of it before it runs."""

    def __init__(self, number):
        self.number, self.name = number, "t%d" % number
        self.each, self.given, self.need = {}, {}, []
        self.flatten = False
        self.case = None  # (task or name of each, value)
        self.trigger, self.bounds = "all-successful", {}
        self.skips, self.retry = True, 0
        self.ends, self.when = {}, False
        self.form, self.consts, self.kind = "const", [0], "json"
        self.shape, self.size = "int", 1
        self.length = None  # of the list it is or makes: equal or not
        self.may_fail = self.may_skip = False
        self.exists = True  # as a list, or with children

    @property
    def mapped(self):
        return bool(self.each)

    def sources(self):
        return list(self.each.values()) + list(self.given.values())

    def upstream(self):
        tasks = [t for s in self.sources() for t in s.tasks] + self.need
        if self.case and isinstance(self.case[0], Spec):
            tasks.append(self.case[0])
        return tasks


# ---- drawing ----


def draw_const(rng, spec, mapped):
    """A value, or one for each child in turn."""
    shape = rng.choice(["int", "int", "list", "list", "list", "lists"])
    if not mapped and rng.random() < 0.08:
        shape = rng.choice(["null", "text", "object"])
    values = {
        "int": lambda: rng.randrange(4),
        "list": lambda: [rng.randrange(9) for _ in range(rng.choice(
            [0, 1, 2, 2, 3, 3]))],
        "lists": lambda: [[rng.randrange(9)] * rng.choice([0, 1, 2])
                          for _ in range(rng.choice([1, 2, 3]))],
        "null": lambda: None,
        "text": lambda: "blue",
        "object": lambda: {"a": [1]},
    }
    spec.consts = [values[shape]() for _ in range(3 if mapped else 1)]
    spec.shape, spec.size = shape, 4


def is_mappable(task):
    return task.mapped or task.shape in ("int", "list", "lists", "null")


def can_flatten(task):
    return task.shape == ("list" if task.mapped else "lists") or (
        task.mapped and task.shape == "lists")


def draw_each(rng, spec, earlier, param):
    luck = rng.random()
    if luck < 0.08:
        spec.each["x"] = Source(const=[rng.randrange(9) for _ in range(
            rng.choice([0, 1, 2, 3]))])
        spec.length = len(spec.each["x"].const)
    elif luck < 0.14:
        n = rng.choice([0, 1, 2, 3])
        spec.each["x"] = Source(const=list(range(1, n + 1)), text="1..%d" % n)
        spec.length = n
    elif luck < 0.2 and param:
        spec.each["x"] = Source(const=PARAM, text="${p}")
        spec.length = len(PARAM)
    else:
        draw_each_tasks(rng, spec, earlier)


def draw_each_tasks(rng, spec, earlier):
    chosen = [t for t in earlier if t.mapped or t.shape in ("list", "lists")]
    if not chosen or rng.random() < 0.05:
        chosen = [t for t in earlier if is_mappable(t)]
    if not chosen:
        return
    first = rng.choice(chosen)
    spec.each["x"] = Source([first])
    spec.length, spec.exists = first.length, first.exists
    if can_flatten(first) and rng.random() < 0.5:
        spec.flatten, spec.length = True, spec
        return
    if not first.mapped and first.shape not in ("list", "lists"):
        spec.may_fail, spec.exists = True, False
        spec.length = spec
    alike = [t for t in chosen if first.exists and t.exists and
             t.length == first.length and t is not first]
    for other in alike[:2]:
        if rng.random() < 0.5:
            spec.each["y%d" % other.number] = Source([other])
    branches = [t for t in [first] + alike if t.mapped and t.shape != "null"]
    if first in branches and len(branches) > 1 and rng.random() < 0.3:
        spec.each = {"x": Source(branches[:3], first=True)}


def draw_given(rng, spec, earlier, param):
    density = rng.choice([0.1, 0.25, 0.5])
    for other in earlier:
        if other in spec.upstream() or rng.random() > density:
            continue
        if rng.random() < 0.6:
            spec.given["g%d" % other.number] = Source([other])
        else:
            spec.need.append(other)
    branches = [t for t in earlier if not t.mapped and t.shape != "null" and
                t not in spec.upstream()]
    cased = [t for t in branches if t.case]
    if len(branches) > 1 and rng.random() < (0.5 if cased else 0.08):
        rng.shuffle(branches)
        branches.sort(key=lambda t: t.case is None)
        spec.given["m"] = Source(branches[:rng.choice([2, 2, 3])], first=True)
    if rng.random() < 0.08:
        spec.given["c"] = Source(const=rng.choice([7, [1, 2], "red"]))
    if param and rng.random() < 0.15:
        spec.given["q"] = Source(const=PARAM, text="${p}")


def draw_case(rng, spec, earlier):
    source = spec.each.get("x")
    if source and (not source.tasks or source.first or spec.flatten):
        return
    if any(t.may_fail for t in spec.upstream()
           if not source or t is not source.task):
        return
    if source:
        spec.case = ("x", draw_guess(rng, source.task))
        return
    chosen = [t for t in earlier if t.form == "const"]
    if chosen:
        of = rng.choice(chosen)
        values = of.consts + [rng.randrange(4)]
        if of.mapped and isinstance(of.length, int):
            values = [[of.consts[k % 3] for k in range(of.length)], []]
        spec.case = (of, rng.choice(values))


def draw_guess(rng, source):
    """A value that a child of a map over source may be made for."""
    values = [0, 1, 2]
    for const in source.consts if source.form == "const" else []:
        values += const if isinstance(const, list) and not source.mapped \
            else [const]
    return rng.choice(values)


def draw_trigger(rng, spec):
    names = list(TRIGGERS)
    twice = len(spec.upstream()) != len(set(spec.upstream()))
    if rng.random() < 0.5:
        return
    if any(not s.tasks for s in spec.sources()):
        names = ["all-successful", "all-finished"]
    elif twice:
        names = [n for n in names if not n.startswith("some-")]
    spec.trigger = rng.choice(names)
    if spec.trigger == "manual-only" and (spec.mapped or rng.random() < 0.7):
        spec.trigger = "all-finished"
    if spec.trigger == "not-all-skipped" and not spec.upstream():
        spec.trigger = "all-failed"
    if spec.trigger.startswith("some-"):
        keys = rng.choice([["at-least"], ["at-most"], ["at-least", "at-most"]])
        spec.bounds = {k: rng.choice([0, 0.25, 0.5, 0.75, 1, 2])
                       for k in keys}


def draw_ends(rng, spec):
    """What becomes of the attempts; the last goes for all that follow."""
    spec.retry = rng.choice([0, 0, 0, 1, 2])
    spec.when = rng.random() < 0.1
    luck = rng.choice([0, 0.1, 0.4])
    for child in range(6) if spec.mapped else [None]:
        if rng.random() > luck + 0.1:
            continue
        spec.ends[child] = [rng.choice(["fail", "fail", "skip"])]
        while rng.random() < 0.5:
            spec.ends[child].append(rng.choice(["fail", "fail", "skip", "go"]))


def draw_form(rng, spec):
    size = sum(t.size * (3 if t.mapped else 1) for s in spec.sources()
               for t in s.tasks) + 2
    forms = ["const", "sum"]
    if size < MAX_SIZE:
        forms += ["given", "given", "wrap"]
    spec.form = rng.choice(forms) if spec.sources() else "const"
    if spec.form == "const":
        draw_const(rng, spec, spec.mapped)
    elif spec.form == "sum":
        spec.kind = rng.choice(["json", "int"])
    elif spec.form == "given":
        spec.shape, spec.size = "object", size
    else:
        spec.copies = rng.choice([0, 1, 2, 3])
        spec.shape, spec.size = "lists", size * 2
    if not spec.mapped and spec.shape in ("list", "lists"):
        spec.length = spec.copies if spec.form == "wrap" else len(
            spec.consts[0])


def settle(spec):
    """What may become of it."""
    up = spec.upstream()
    ends = {e for end in spec.ends.values() for e in end}
    if spec.trigger not in ("all-successful", "all-finished"):
        spec.may_fail = spec.may_skip = True
    if spec.trigger != "all-finished" and any(t.may_fail for t in up):
        spec.may_fail = True
    if any(t.may_skip for t in up) or "skip" in ends or spec.case:
        spec.may_skip = True
    if "fail" in ends:
        spec.may_fail = True
    whole = [t for s in spec.given.values() for t in s.tasks] + spec.need
    if any(t.may_skip for t in whole):
        spec.exists = False
    if not spec.mapped:
        spec.exists = (spec.shape in ("list", "lists") and
                       not spec.may_fail and not spec.may_skip)


def draw_task(rng, number, earlier, param, cased):
    spec = Spec(number)
    if earlier and rng.random() < 0.5:
        draw_each(rng, spec, earlier, param)
    draw_given(rng, spec, earlier, param)
    if cased:
        draw_case(rng, spec, earlier)
    if not spec.case:
        spec.skips = rng.random() < 0.7
        draw_trigger(rng, spec)
    draw_ends(rng, spec)
    draw_form(rng, spec)
    settle(spec)
    return spec


def draw(seed):
    rng = random.Random(seed)
    param = rng.random() < 0.2
    cased = rng.choice([0, 0, 0.2, 0.6])
    specs = []
    for number in range(rng.randint(3, 8)):
        specs.append(draw_task(rng, number, list(specs), param,
                               rng.random() < cased))
    for spec in specs:  # what is mapped over has to be able to be a list
        for source in spec.each.values():
            for task in source.tasks:
                task.kind = "json"
    reference = rng.sample(specs, 2) if rng.random() < 0.25 else []
    return specs, param, reference, rng.choice(specs)


# ---- with leat ----


def script(spec):
    """The end of an instance, then its value, for sh."""
    ends, skips = [], []
    for child, outcomes in spec.ends.items():
        for at, end in enumerate(outcomes):
            last = at == len(outcomes) - 1
            which = "%s.%s" % ("" if child is None else child,
                               "*" if last else at + 1)
            code = {"fail": 3, "skip": 77, "go": 0}[end]
            if spec.when:
                skips.append("%s) exit %d;;" % (which, int(code == 77)))
            if code:
                ends.append("%s) exit %d;;" % (which, code))
            else:
                ends.append("%s) ;;" % which)
    head = "case ${LEAT_INDEX-}.$LEAT_ATTEMPT in %s esac\n"
    return (head % " ".join(ends) if ends else "",
            head % " ".join(skips) if skips else None)


def value_script(spec):
    if spec.form == "const":
        lines = ["%d) echo '%s';;" % (k, json.dumps(value))
                 for k, value in enumerate(spec.consts)]
        return "case $((${LEAT_INDEX-0} %% %d)) in %s esac" % (
            len(spec.consts), " ".join(lines))
    if spec.form == "sum":
        names = " ".join("$" + n for n in list(spec.each) + list(spec.given))
        return ("s=0; for v in %s; do case $v in *[!0-9]*) ;; "
                "*) s=$((s + v));; esac; done; echo $s" % names)
    text = 'read -r i <"$LEAT_INPUT"; echo "%s"'
    if spec.form == "given":
        return text % "$i"
    return text % ("[%s]" % ",".join("[%d,$i]" % k
                                     for k in range(spec.copies)))


def leat_task(spec):
    ends, skips = script(spec)
    task = {"value": spec.kind, "skip-on-upstream-skip": spec.skips}
    if spec.form == "const" and not spec.mapped and not ends:
        task["argv"] = ["echo", json.dumps(spec.consts[0])]
    else:
        task["run"] = ends + value_script(spec)
    if skips:
        task["when"] = skips
    if ends:
        task["exit"] = {"skip": 77}
    if spec.each:
        task["each"] = {k: s.leat() for k, s in spec.each.items()}
        task["zip"] = len(spec.each) > 1
        task["flatten"] = spec.flatten
    if spec.given:
        task["with"] = {k: s.leat() for k, s in spec.given.items()}
    if spec.need:
        task["needs"] = [t.name for t in spec.need]
    if spec.case:
        of, value = spec.case
        name = of.name if isinstance(of, Spec) else of
        task["case"] = {"of": "${%s}" % name, "is": value}
    if spec.retry:
        task["retry"] = spec.retry
    task["trigger"] = ({spec.trigger: spec.bounds} if spec.bounds
                       else spec.trigger)
    return task


def leat_file(specs, param, reference, output):
    flow = {
        "leat": 1,
        "name": "random",
        "defaults": {"shell": "/bin/sh -c"},
        "tasks": {spec.name: leat_task(spec) for spec in specs},
        "output": "${%s}" % output.name,
    }
    if param:
        flow["params"] = {"p": {"type": "json", "default": PARAM}}
    if reference:
        flow["reference"] = [t.name for t in reference]
    return flow


def leat_item(item):
    return (item["state"], item["attempts"], item["value"])


def run_leat(leat, folder, flow):
    path = os.path.join(folder, "random.json")
    with open(path, "w") as file:
        json.dump(flow, file, indent=1)
    store = ["--store", os.path.join(folder, "store")]
    done = subprocess.run([leat, "run", "-q", "random.json"] + store,
                          cwd=folder, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode not in (0, 1):
        raise RuntimeError("leat run: %s" % done.stderr)
    shown = subprocess.run([leat, "show", "--json", "last"] + store,
                           cwd=folder, check=True, stdout=subprocess.PIPE)
    shown = json.loads(shown.stdout)
    seen = {"flow": shown["state"], "output": shown["output"]}
    for task in shown["tasks"]:
        seen[task["name"]] = leat_item(task)
        for k, child in enumerate(task.get("children", [])):
            seen["%s[%d]" % (task["name"], k)] = leat_item(child)
    return seen


# ---- with Prefect ----


def plain(value):
    """What is not there is null."""
    if isinstance(value, BaseException):
        return None
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


class SpecTask(prefect.Task):
    """A task that does what the command does."""

    def __init__(self, spec, param):
        trigger = TRIGGERS[spec.trigger]
        if spec.trigger.startswith("some-"):
            trigger = trigger(**{k.replace("-", "_"): v
                                 for k, v in spec.bounds.items()})
        super().__init__(name=spec.name, trigger=trigger,
                         skip_on_upstream_skip=spec.skips,
                         max_retries=spec.retry,
                         retry_delay=timedelta(0) if spec.retry else None)
        self.spec, self.param = spec, param
        self.calls = {}

    def run(self, **given):
        child = prefect.context.get("map_index")
        ends = self.spec.ends.get(child, ["go"])
        end = ends[min(self.calls.get(child, 0), len(ends) - 1)]
        self.calls[child] = self.calls.get(child, 0) + 1
        if end == "fail":
            raise signals.FAIL("told to")
        if end == "skip":
            raise signals.SKIP("told to", result=None)
        return self.value(child or 0, {k: plain(v) for k, v in given.items()})

    def value(self, child, given):
        if self.spec.form == "const":
            return self.spec.consts[child % len(self.spec.consts)]
        if self.spec.form == "sum":
            items = [i for v in given.values()
                     for i in (v if isinstance(v, list) else [v])]
            return sum(i for i in items if isinstance(i, int))
        if self.param:
            given["p"] = PARAM
        if self.spec.form == "given":
            return given
        return [[k, given] for k in range(self.spec.copies)]


def bind(flow, spec, task, tasks, param):
    """Give the task its upstreams, with Prefect's functional interface."""
    def value(source, mapped):
        if source.first:
            return merge(*[tasks[t.number] for t in source.tasks],
                         mapped=mapped)
        if source.tasks:
            return tasks[source.task.number]
        return param if source.text == "${p}" else source.const

    wrap = unmapped if spec.mapped else lambda x: x
    given = {k: value(s, True) for k, s in spec.each.items()}
    if spec.flatten:
        given = {k: flatten(v) for k, v in given.items()}
    given.update((k, wrap(value(s, False))) for k, s in spec.given.items())
    given["upstream_tasks"] = [wrap(tasks[t.number]) for t in spec.need]
    of, expected = spec.case or (None, None)
    if isinstance(of, Spec) and spec.number % 2:
        with case(tasks[of.number], expected):
            task.bind(flow=flow, **given)
        return
    task.bind(flow=flow, mapped=spec.mapped, **given)
    if isinstance(of, Spec):
        switch(tasks[of.number], {Key(expected): task})
    elif of:
        switch(tasks[spec.each[of].task.number], {Key(expected): task},
               mapped=True)


class Key:
    """The key of a switch that may be a list."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return self.value == other

    def __hash__(self):
        return 0


def build(specs, param, reference):
    tasks = [SpecTask(spec, param) for spec in specs]
    parameter = prefect.Parameter("p", default=PARAM) if param else None
    with prefect.Flow("random") as flow:
        for spec, task in zip(specs, tasks):
            bind(flow, spec, task, tasks, parameter)
    if reference:
        flow.set_reference_tasks([tasks[t.number] for t in reference])
    return flow, tasks


def run_flow(flow):
    """As flow.run() does, which would ask a person about what is paused."""
    ends = {}
    for _ in range(MAX_ROUNDS):
        state = FlowRunner(flow=flow).run(return_tasks=flow.tasks,
                                          task_states=ends)
        ends = state.result
        children = [child for end in ends.values() if end.is_mapped()
                    for child in end.map_states]
        if not any(s.is_retrying() for s in children + list(ends.values())):
            return state
    raise RuntimeError("Prefect retries for ever")


def prefect_item(state, attempts):
    kind = STATES[type(state).__name__]
    value = plain(state.result) if kind == "succeeded" else None
    return (kind, attempts, value)


def run_prefect(specs, param, reference, output):
    flow, tasks = build(specs, param, reference)
    state = run_flow(flow)
    seen = {"flow": "paused", "output": None}
    if state.is_finished():
        seen["flow"] = "succeeded" if state.is_successful() else "failed"
    for spec, task in zip(specs, tasks):
        end = state.result[task]
        seen[spec.name] = prefect_item(end, task.calls.get(None, 0))
        for k, child in enumerate(end.map_states if end.is_mapped() else []):
            seen["%s[%d]" % (spec.name, k)] = prefect_item(
                child, task.calls.get(k, 0))
    if seen["flow"] == "succeeded":
        end = state.result[tasks[output.number]]
        seen["output"] = plain(end.result) if not end.is_mapped() else [
            prefect_item(child, 0)[2] for child in end.map_states]
    return seen


# ---- both ----


def compare(leat, folder, seed, tally):
    specs, param, reference, output = draw(seed)
    flow = leat_file(specs, param, reference, output)
    ours = run_leat(leat, folder, flow)
    theirs = run_prefect(specs, param, reference, output)
    for item in theirs.values():
        if isinstance(item, tuple):
            tally[item[0]] = tally.get(item[0], 0) + 1
    if ours == theirs:
        return True
    print("seed %d differs" % seed)
    print(json.dumps(flow, indent=1))
    for name in sorted(set(ours) | set(theirs)):
        if ours.get(name) != theirs.get(name):
            print("  %s: leat %s, prefect %s" %
                  (name, ours.get(name), theirs.get(name)))
    return False


def main():
    leat = os.path.abspath(sys.argv[1])
    nflow = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    tally = {}
    differ = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + nflow):
            differ += not compare(leat, folder, seed, tally)
    print("states seen: %s" % ", ".join(
        "%d %s" % (n, state) for state, n in sorted(tally.items())))
    print("%d flows, %d differ" % (nflow, differ))
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
