"""Leaves out what is right by the schema and wrong by a rule that OpenAPI cannot say."""

import os
from contextlib import suppress
from typing import Any

import schemathesis

MAX_SN, MAX_TERM = int(os.environ["FIBO_MAX_SN"]), int(os.environ["FIBO_MAX_TERM"])
Asked = dict[str, Any]


def window(asked: Asked) -> bool:
    """Whether `start` and `sn` do not pass the maximum together; hashes have no residues."""
    if "mod" in asked and asked.get("format") == "sha256":
        return False
    most, stop = (MAX_TERM, MAX_TERM + 1) if "mod" in asked else (MAX_SN, MAX_SN)
    with suppress(ValueError, TypeError):
        sn, start = int(asked.get("sn", 0)), int(asked.get("start", 0))
        return max(sn, start) > MAX_TERM or (sn <= most and sn + start <= stop)
    return True


def term(asked: Asked) -> bool:
    """Whether one kind of digits is asked for, and all of them up to the last term only."""
    kinds = ({"mod"}, {"base"}, {"first", "last"})
    with suppress(ValueError, TypeError):
        partly = {"mod", "first", "last"} & set(asked)
        if int(asked["n"]) > MAX_TERM and asked.get("format") != "json" and not partly:
            return False
    return sum(bool(kind & set(asked)) for kind in kinds) <= 1


def look_up(asked: Asked) -> bool:
    """Whether a value or digits are asked for, and not both."""
    return ("value" in asked) != ("contains" in asked)


RULES = {"/": window, "/terms/{n}": term, "/terms": look_up}


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """Whether each parameter that is right by itself is right together with the others.

    tests/web/test_views.py and test_check_values.py have the refusals.
    """
    rule = RULES.get(case.path, lambda _: True)
    return rule({**(case.query or {}), **(case.path_parameters or {})})
