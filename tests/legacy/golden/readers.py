"""Reading a dump's files, so that what may vary lies still."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .labels import Labels

Json = Any

RESULT = "celery-task-meta-"


def read(name: str, path: Path, labels: Labels) -> Json:
    """A file, by its name below the case's folder."""
    return READERS.get(name, _read_plain)(path, labels)


def _read_plain(path: Path, labels: Labels) -> Json:
    """Texts as they are; JSON with the messages in it unpacked."""
    text = path.read_text()
    if path.suffix == ".json" and not path.name.startswith(("webhook_", "waveform")):
        return _labelled(json.loads(text), labels)
    return labels.put(text)


def _labelled(data: Json, labels: Labels) -> Json:
    if isinstance(data, dict):
        return {
            labels.put(name): _labelled(value, labels) for name, value in data.items()
        }
    if isinstance(data, list):
        return [_labelled(value, labels) for value in data]
    if isinstance(data, str):
        return labels.put(_unpacked(data))
    return data


def _unpacked(text: str) -> str:
    """A task message with its body as text, all else byte for byte."""
    found = re.match(r'\{"body": "([A-Za-z0-9+/=]+)"', text)
    if found is None:
        return text
    return f'{{"body": {base64.b64decode(found[1]).decode()}{text[found.end():]}'


def _read_published(path: Path, labels: Labels) -> Json:
    """The application's messages in order, and results by task.

    The recorder wrote down results of earlier cases again, of tasks that are none of the
    case's.
    """
    application: list[Json] = []
    results: list[Json] = []
    for line in path.read_text().splitlines():
        message = _labelled(json.loads(line), labels)
        del message["t"]
        if not message["channel"].startswith(RESULT):
            application.append(message)
        elif message["channel"].startswith(f"{RESULT}<task "):
            results.append(message)
    return {"application": application, "results": _by_task(results, "channel")}


def _read_results(path: Path, labels: Labels) -> Json:
    """By task."""
    data = _labelled(json.loads(path.read_text()), labels)
    return {**data, "results": _by_task(data["results"], "key")}


def _by_task(results: list[Json], key: str) -> list[Json]:
    """A task's own results keep their order.

    A task may end in one process before the one that pushed it has told its result.
    """
    return sorted(results, key=lambda result: result[key])


def _read_store_requests(path: Path, labels: Labels) -> Json:
    """Padded tracks are deleted all at once, in any order."""
    lines = [labels.put(line) for line in path.read_text().splitlines()]
    places = [
        n for n, line in enumerate(lines) if re.match(r"DELETE .*/padded_\d", line)
    ]
    for place, line in zip(places, sorted(lines[place] for place in places)):
        lines[place] = line
    return lines


def _read_requests(path: Path, labels: Labels) -> Json:
    """Names of headers in small letters, as the stand-in keeps them.

    The length of a request that carries a signed URL depends on the signature's escapes.
    """
    data = _labelled(json.loads(path.read_text()), labels)
    for request in data:
        request["headers"] = [
            [name.lower(), value]
            for name, value in request["headers"]
            if (request["service"], name.lower()) != ("transcription", "content-length")
        ]
    return data


def _read_calls(path: Path, labels: Labels) -> Json:
    """Title and first call of the summary are under way together: the title first."""
    data = _labelled(json.loads(path.read_text()), labels)
    calls = data["calls"]
    for first, second in zip(calls, calls[1:]):
        if (first["kind"], second["kind"]) == ("subjects.analysis", "title"):
            place = calls.index(first)
            calls[place], calls[place + 1] = second, first
            second["n"], first["n"] = first["n"], second["n"]
    return data


READERS: dict[str, Callable[[Path, Labels], Json]] = {
    "pubsub.jsonl": _read_published,
    "celery/task_results.json": _read_results,
    "s3_requests.txt": _read_store_requests,
    "requests.json": _read_requests,
    "llm_calls.json": _read_calls,
}
