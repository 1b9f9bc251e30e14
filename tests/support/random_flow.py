#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""A random flow file of real commands, the same for the same seed.

    random_flow.py SEED

What each attempt does is decided by the file alone (by its number, where it is
about retries), so every executor must come to the same states, values and
attempts.
"""
import json
import random
import sys

TRIGGERS = ["all-successful", "all-failed", "any-successful", "any-failed",
            "all-finished", "not-all-skipped", {"some-successful": {"at-least": 1}},
            {"some-failed": {"at-most": 1}}]


class Flow:
    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.tasks = {}
        self.lists = []  # names of tasks that give a list
        self.texts = []  # ... that give something else
        self.maps = []

    def pick(self, names):
        return self.dice.choice(names) if names else None

    def chance(self, one_in):
        return self.dice.randrange(one_in) == 0

    def ending(self):
        """What a script does in the end."""
        code = self.dice.choice([0, 0, 0, 0, 3, 77])
        if self.chance(6):
            return f'[ "$LEAT_ATTEMPT" -ge 2 ] || exit 75; exit {code}'
        return f"exit {code}"

    def body(self, name, task):
        bound = []
        for key in range(self.dice.randrange(3)):
            of = self.pick(self.texts + self.lists + self.maps)
            if of:
                task.setdefault("with", {})[f"b{key}"] = "${%s}" % of
                bound.append(f'"$b{key}"')
        said = " ".join([json.dumps(name)] + bound)
        task["run"] = (f"printf '%s,' {said} | tr '\\n' ';'; echo >&2 of {name}; "
                       + self.ending())
        task["value"] = "text"

    def plain(self, name):
        task = {}
        self.body(name, task)
        self.texts.append(name)
        return task

    def listing(self, name):
        n = self.dice.randrange(5)
        self.lists.append(name)
        return {"run": f"echo '{json.dumps(list(range(n)))}'", "value": "json"}

    def mapped(self, name):
        kind = self.dice.randrange(3)
        if kind == 0 and self.lists:
            over = "${%s}" % self.pick(self.lists)
        elif kind == 1 and self.maps:
            over = "${%s}" % self.pick(self.maps)
        else:
            over = self.dice.choice([[1, 2, 3], "1..4", ["x"], []])
        task = {"each": {"i": over}}
        task["run"] = ('case $i in *2*) exit 3 ;; *3*) exit 77 ;; esac; '
                       'printf "<%s>" "$i"')
        task["value"] = "text"
        if self.chance(3):
            task["max-parallel"] = self.dice.randrange(1, 3)
        self.maps.append(name)
        return task

    def options(self, task):
        before = self.texts[:-1] + self.lists[:-1] + self.maps[:-1]
        if self.chance(3) and before:
            task["needs"] = self.dice.sample(before, 1)
        if self.chance(3):
            task["trigger"] = self.dice.choice(TRIGGERS)
        if self.chance(5):
            task["skip-on-upstream-skip"] = False
        if self.chance(6):
            task["when"] = self.dice.choice(["true", "false", "exit 255"])
        if self.chance(6):
            task["case"] = {"of": "${p}", "is": self.dice.choice(["a", "b"])}
        if self.chance(8):
            task["priority"] = self.dice.randrange(-3, 4)
        task["exit"] = {"skip": [77], "retry": [75]}
        task["retry"] = self.dice.choice([0, 1, 2])

    def make(self):
        makers = [self.plain, self.plain, self.listing, self.mapped,
                  self.mapped]
        for i in range(self.dice.randrange(3, 12)):
            name = f"t{i}"
            task = self.dice.choice(makers)(name)
            if task.get("value") != "json":
                self.options(task)
            self.tasks[name] = task
        return {"leat": 1, "name": "random",
                "params": {"p": {"type": "string", "default": "a"}},
                "tasks": self.tasks}


print(json.dumps(Flow(int(sys.argv[1])).make(), indent=1))
