"""What a comparison is told not to look at."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

Json = Any

_TARGET = re.compile(r"\w+ /[^/]+/(\S*)")


@dataclass(frozen=True)
class LeftOut:
    """Whole files, and objects; what is met is counted as masked."""

    files: tuple[str, ...] = ()
    """Patterns for the whole name."""
    keys: tuple[str, ...] = ()
    """Beginnings of objects' keys."""

    def has_file(self, name: str) -> bool:
        """Whether the file is left out."""
        return any(re.fullmatch(pattern, name) for pattern in self.files)

    def without_objects(self, name: str, data: Json, met: Counter[str]) -> Json:
        """A file's content without the objects that are left out."""
        if name == "s3.json":
            lists = ("before", "after", "added", "removed")
            return {
                what: self._kept(items, _key_in_list, name, met)
                if what in lists
                else items
                for what, items in data.items()
            }
        if name == "s3_requests.txt":
            return self._kept(data, _key_in_request, name, met)
        return data

    def _kept(self, items: list[Json], key: Any, name: str, met: Counter[str]) -> Json:
        kept = [item for item in items if not key(item).startswith(self.keys)]
        if len(kept) < len(items):
            met[f"{name}: objects below {', '.join(self.keys)}"] += len(items) - len(kept)
        return kept


def _key_in_list(item: Json) -> str:
    return item["key"] if isinstance(item, dict) else item[1]


def _key_in_request(line: str) -> str:
    found = _TARGET.match(line)
    return found[1] if found else ""
