"""Telling where two values differ."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

Json = Any


def differences(path: str, actual: Json, expected: Json) -> Iterator[str]:
    """One line for every place in which the two differ."""
    if type(actual) is not type(expected):
        yield f"{path}: {_short(actual)} instead of {_short(expected)}"
    elif isinstance(actual, dict):
        if list(actual) != list(expected) and set(actual) == set(expected):
            yield f"{path}: members in another order"
        for name in {**expected, **actual}:
            if name not in actual or name not in expected:
                which = "is new" if name in actual else "is missing"
                yield f"{path}.{name} {which}"
            else:
                yield from differences(f"{path}.{name}", actual[name], expected[name])
    elif isinstance(actual, list):
        if len(actual) != len(expected):
            yield f"{path}: {len(actual)} entries instead of {len(expected)}"
        for place, pair in enumerate(zip(actual, expected)):
            yield from differences(f"{path}[{place}]", *pair)
    elif actual != expected:
        yield f"{path}: {_where(actual, expected)}"


def _where(actual: Json, expected: Json) -> str:
    if not isinstance(actual, str):
        return f"{actual!r} instead of {expected!r}"
    blocks = difflib.SequenceMatcher(
        None, actual[:5000], expected[:5000], autojunk=False
    )
    start = blocks.get_matching_blocks()[0]
    place = start.size if start.a == start.b == 0 else 0
    return f"from character {place}: {_short(actual[place:])} instead of {_short(expected[place:])}"


def _short(data: Json) -> str:
    text = repr(data)
    return text if len(text) <= 160 else f"{text[:160]}…"
