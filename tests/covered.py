#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""What can be said is said in a conformance flow, or an example.

Every key and every word of the flow file's JSON Schema must be used by a flow
of tests/conformance, and every function, option and word of leat.h by a C flow
there or in examples, or be listed below with the reason why not. An exception
that is used after all is wrong too. With -v: the table of who uses what.
"""
import json
import pathlib
import re
import sys

import yaml

from schema import Loader

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXCEPTIONS = {
    "task.call": "only C programs make it; their flows travel with it",
    "task.first": "only C programs make it; their flows travel with it",
    "flow.handlers": "only C programs make it; their flows travel with it",
    "task.handlers": "only C programs make it; their flows travel with it",
    "leat_main": "LEAT_FLOW calls it",
    "leat_flow_name": "says what was given to leat_flow_new: test_api",
}


# ---- flow files ----

class Cover:
    """Walks flows and the schema side by side."""

    def __init__(self, schema):
        self.schema = schema
        self.users = {}  # what can be said: the files that say it
        self.flow = None
        for name, part in [("flow", schema), *schema["definitions"].items()]:
            self.declare(name, part)

    def declare(self, name, part):
        for key, value in part.get("properties", {}).items():
            self.users.setdefault(f"{name}.{key}", set())
            self.declare(f"{name}.{key}", value)
        for word in part.get("enum", []):
            self.users.setdefault(f"{name}: {word}", set())
        for one in part.get("oneOf", []):
            self.declare(name, one)

    def walk(self, name, part, value):
        if "$ref" in part:
            name = part["$ref"].rsplit("/", 1)[1]
            part = self.schema["definitions"][name]
        for one in part.get("oneOf", []):
            self.walk(name, one, value)
        if not isinstance(value, (dict, list)):
            if value in part.get("enum", []):
                self.users[f"{name}: {value}"].add(self.flow)
        elif isinstance(value, list):
            for one in value:
                if isinstance(part.get("items"), dict):
                    self.walk(name, part["items"], one)
        else:
            self.walk_object(name, part, value)

    def walk_object(self, name, part, value):
        for key, inner in value.items():
            if key in part.get("properties", {}):
                self.users[f"{name}.{key}"].add(self.flow)
                self.walk(f"{name}.{key}", part["properties"][key], inner)
            elif isinstance(part.get("additionalProperties"), dict):
                rest = part["additionalProperties"]
                self.walk(name, rest.get("then", rest), inner)


def flow_files(users):
    schema = json.loads((ROOT / "docs/leat-flow.schema.json").read_text())
    cover = Cover(schema)
    for path in sorted((ROOT / "tests/conformance").glob("*.yaml")):
        cover.flow = path.name
        cover.walk("flow", schema, yaml.load(path.read_text(), Loader))
    users.update(cover.users)


# ---- leat.h ----

def said_in_header(text):
    """Name to the expression that finds a use of it."""
    said = {}
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    for name in re.findall(r"^LEAT_API [^;(]*?\b(leat_\w+)\(", text, re.M):
        short = re.sub(r"_v$|_begin$|_end$", "", name)
        if short == "leat_parameter" and name != short:
            short = "leat_parameter_with"
        said[name] = rf"\b({name}|{short})\("
    for struct in ("leat_param_options", "leat_task_options",
                   "leat_run_options"):
        body = re.search(rf"typedef struct {struct} {{(.*?)\n}}", text, re.S)
        for line in body[1].split(";"):
            for field in re.findall(r"(\w+)(?=,|$)", line.strip()):
                said[f"{struct}.{field}"] = rf"\.{field}\s*="
    for body in re.findall(r"(?:typedef enum leat_(?:type|choice|trigger|output)"
                           r"|^enum) {(.*?)}", text, re.S | re.M):
        for word in re.findall(r"\b(LEAT_\w+)", body):
            said[word] = rf"\b{word}\b"
    return said


def header(users):
    said = said_in_header((ROOT / "lib/leat.h").read_text())
    paths = [*sorted((ROOT / "tests/conformance").glob("*.c")),
             *sorted((ROOT / "examples").glob("*.c"))]
    for name, use in said.items():
        users[name] = {path.name for path in paths
                       if re.search(use, path.read_text())}


def main():
    users = {}
    flow_files(users)
    header(users)
    wrong = [f"{name}: no conformance flow uses it"
             for name, by in users.items() if not by and name not in EXCEPTIONS]
    wrong += [f"{name}: take it off the list of exceptions"
              for name in EXCEPTIONS if users.get(name, True)]
    if "-v" in sys.argv:
        for name, by in users.items():
            print(f"{name:36} {' '.join(sorted(by)) or EXCEPTIONS.get(name)}")
    print("\n".join(wrong), end="\n" if wrong else "")
    print(f"covered: {len(users)} things to say, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
