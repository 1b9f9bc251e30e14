#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""The JSON Schema says the same as the parser, as far as a schema can.

Every good file must validate. Every bad file must be refused, by YAML or by
the schema, or be listed below with the reason why a schema can't know.
"""
import json
import pathlib
import re
import sys

import jsonschema
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
REFERENCES = "what names refer to"
STRICT = "YAML that leat does not take"
PAST_SCHEMA = {
    "anchor": STRICT,
    "duplicate-among-many": STRICT,
    "duplicate-keys": STRICT,
    "tag": STRICT,
    "tag-list": STRICT,
    "tag-map": STRICT,
    "nul-escape": STRICT,
    "escape-pair": STRICT,
    "text-as-key": STRICT,
    "circle": REFERENCES,
    "circle-through-first": REFERENCES,
    "default-references": REFERENCES,
    "itself": REFERENCES,
    "long-line": REFERENCES,
    "long-wide-line": REFERENCES,
    "references": REFERENCES,
    "reference-syntax": REFERENCES,
    "tabs": REFERENCES,
}


class Loader(yaml.SafeLoader):
    """Types plain scalars as editors do: YAML 1.2's core schema."""


Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("null", r"^(?:null|~|)$", ["n", "~", ""]),
    ("bool", r"^(?:true|false)$", list("tf")),
    ("int", r"^-?(?:0|[1-9][0-9]*)$", list("-0123456789")),
    ("float", r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$",
     list("-0123456789")),
):
    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:" + tag, re.compile(pattern), first)


def is_valid(validator, path):
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if path.suffix == ".json":
            return validator.is_valid(json.loads(text))
        return validator.is_valid(yaml.load(text, Loader))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError):
        return False


def flows(folder):
    paths = sorted((ROOT / folder).glob("*.*"))
    return [p for p in paths if p.suffix in (".yaml", ".json")]


def main():
    schema = json.loads((ROOT / "docs/leat-flow.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    good = (flows("tests/data/good") + flows("tests/conformance")
            + flows("examples"))
    bad = flows("tests/data/bad")
    wrong = [f"{p}: refused, but good" for p in good
             if not is_valid(validator, p)]
    for path in bad:
        known = path.stem in PAST_SCHEMA
        if is_valid(validator, path) != known:
            wrong.append(f"{path}: " + ("refused, take it off the list"
                                        if known else "not refused"))
    print("\n".join(wrong), end="\n" if wrong else "")
    print(f"schema: {len(good)} good, {len(bad)} bad, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
