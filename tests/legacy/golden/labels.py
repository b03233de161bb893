"""Ids and times that are new in every run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus


@dataclass(frozen=True)
class Labels:
    """The values that are new in every run, by what they belong to."""

    by_value: dict[str, str]

    @staticmethod
    def of(folder: Path) -> Labels:
        """From a run's own files."""
        found: dict[str, str] = {}
        for transcript in _json(folder / "db_after.json")["transcript"]:
            found[transcript["id"]] = "<transcript>"
            if "created_at" in transcript:
                found[transcript["created_at"]] = "<created at>"
            for n, topic in enumerate(transcript.get("topics", [])):
                found[topic["id"]] = f"<topic {n}>"
        before = _json(folder / "db_before.json")["transcript"]
        for n, topic in enumerate(t for row in before for t in row.get("topics", [])):
            found[topic["id"]] = f"<topic {n} before>"
        for n, path in enumerate(sorted((folder / "celery").glob("[0-9]*"))):
            message = _json(path)
            found.setdefault(message["headers"]["id"], f"<task {n}>")
            chain = message["body_decoded"][2]["chain"] or []
            for place, link in enumerate(reversed(chain)):
                found.setdefault(link["options"]["task_id"], f"<task {n + 1 + place}>")
        for path in folder.glob("webhook_*.body.json"):
            found[_json(path)["event_id"]] = "<event>"
        return Labels(found)

    def put(self, text: str) -> str:
        """The text with labels in the values' places."""
        for value, label in self.by_value.items():
            text = text.replace(value, label).replace(quote_plus(value), label)
        return text


def _json(path: Path) -> Any:
    return json.loads(path.read_text())
