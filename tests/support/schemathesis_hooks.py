"""Leaves out what is right by the schema and wrong by a rule that OpenAPI cannot say."""

import os
from contextlib import suppress
from typing import Any

import schemathesis

MAX_SN = int(os.environ["FIBO_MAX_SN"])


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """Whether each parameter that is right by itself is right together with the others.

    `start` and `sn` may not pass the maximum together; the digits of a term beyond it, and not
    the facts in JSON or its residue, are refused. tests/web/test_views.py has both refusals.
    """
    asked: dict[str, Any] = {**(case.query or {}), **(case.path_parameters or {})}
    with suppress(ValueError, TypeError):
        sn, start = int(asked.get("sn", 0)), int(asked.get("start", 0))
        if max(sn, start) <= MAX_SN < sn + start:
            return False
        if int(asked.get("n", 0)) >= MAX_SN:
            return asked.get("format") == "json" or "mod" in asked
    return True
