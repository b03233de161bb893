"""What happened, in the files and forms of `tests/fixtures/standup/expected`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
from psycopg.rows import dict_row

from .tap import Command, Tap
from .world import DAILY_BUCKET, OWN_BUCKET, World

Json = Any

DUMPED = ("transcript", "recording", "meeting", "room", "meeting_consent")
LEFT_OUT = "(left out)"
RETRY_AFTER_INVALID = "The answer before did not fit:"
_COLOUR = re.compile(r"\x1b\[\d+m")
_ROUTING_KEY = re.compile(r'"routing_key": "[^"]*"')
_STORE_LINE = re.compile(r'"(GET|PUT|POST|DELETE) (/\S*) HTTP/1\.\d" (\d{3})')


def write(folder: Path, name: str, data: Json) -> None:
    """A JSON file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def rows(world: World) -> dict[str, list[dict[str, Json]]]:
    """The tables' rows; times in ISO 8601, UTC."""
    found = {}
    options = "-c timezone=UTC"
    with psycopg.connect(
        world.database_url, row_factory=dict_row, options=options
    ) as db:
        for table in DUMPED:
            found[table] = [
                {name: _plain(value) for name, value in row.items()}
                for row in db.execute(f"select * from {table} order by id")
            ]
    return found


def _plain(value: Json) -> Json:
    return value.isoformat() if hasattr(value, "isoformat") else value


def objects(world: World) -> list[dict[str, Json]]:
    """Everything in the store."""
    found = []
    for bucket in (DAILY_BUCKET, OWN_BUCKET):
        for item in world.s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            got = world.s3.get_object(Bucket=bucket, Key=item["Key"])
            body = got["Body"].read()
            found.append(
                {
                    "bucket": bucket,
                    "key": item["Key"],
                    "size": len(body),
                    "content_type": got["ContentType"],
                    "sha256": hashlib.sha256(body).hexdigest(),
                }
            )
    return found


def published(tap: Tap) -> list[tuple[Command, str, str]]:
    """Channel and text of every message but Celery's heartbeats and commands, in order."""
    commands = tap.named("PUBLISH")
    return [(c, c.words[1], c.words[2]) for c in commands if c.words[1][:1] != "/"]


def store_requests(log: str) -> str:
    """The store's requests, of queries the names only; the stand-in's HEADs are left out."""
    lines = []
    for method, target, status in _STORE_LINE.findall(_COLOUR.sub("", log)):
        url = urlsplit(target)
        names = "&".join(parse_qs(url.query, keep_blank_values=True))
        lines.append(f"{method} {url.path}{'?' if names else ''}{names} {status}")
    return "".join(f"{line}\n" for line in lines)


class Dump:
    """Writes a run down, once it is over."""

    def __init__(self, world: World, target: Path, began: float) -> None:
        self.world = world
        self.target = target
        self.began = began
        target.mkdir(parents=True, exist_ok=True)

    def all(self, before: dict[str, Json]) -> None:
        """Every file. `before`: `rows`, `objects` and what the queue held before the worker."""
        after = rows(self.world)
        write(self.target, "db_before.json", self._as_recorded(before["rows"]))
        write(self.target, "db_after.json", self._as_recorded(after))
        for transcript in after["transcript"]:
            write(self.target, "events.json", transcript["events"])
            (self.target / "transcript.vtt").write_text(transcript["webvtt"])
            self._local_files(transcript["id"])
        self._objects(before["objects"], after)
        self._celery(before["queue"])
        self._published()
        self._requests(after)

    def _as_recorded(self, found: dict[str, Json]) -> dict[str, Json]:
        """Of the post chain's cases only some columns were written down."""
        if not self.world.case.is_post_chain:
            return found
        return {
            table: [{name: row[name] for name in recorded[0]} for row in found[table]]
            for table, recorded in self.world.case.recorded_rows.items()
        }

    def _t(self, command: Command) -> float:
        return round(command.at - self.began, 3)

    def _local_files(self, transcript_id: str) -> None:
        folder = self.world.data / transcript_id
        for name, target in (
            ("audio.json", "waveform.json"),
            ("audio.mp3", "audio.mp3"),
        ):
            if (folder / name).exists():
                (self.target / target).write_bytes((folder / name).read_bytes())

    def _objects(self, before: list[Json], after_rows: dict[str, Json]) -> None:
        log = self.world.store_log()
        if log is not None:
            (self.target / "s3_requests.txt").write_text(store_requests(log))
        after = objects(self.world)
        places = [[(o["bucket"], o["key"]) for o in side] for side in (before, after)]
        local = [
            {"name": path.name, "size": path.stat().st_size}
            for transcript in after_rows["transcript"]
            for path in sorted((self.world.data / transcript["id"]).glob("*"))
        ]
        data = {
            "before": before,
            "after": after,
            "added": [list(place) for place in places[1] if place not in places[0]],
            "removed": [list(place) for place in places[0] if place not in places[1]],
            "local_data_folder": local,
        }
        write(self.target, "s3.json", data)

    def _celery(self, queue: list[str]) -> None:
        pushed: list[str] = []
        seen: dict[tuple[str, int], str] = {}
        moved: list[Json] = []
        for command in self.world.tap.named("LPUSH", "RPUSH"):
            message = command.task_message
            if message is None:
                continue
            attempt = (message["headers"]["id"], message["headers"]["retries"])
            if attempt in seen:
                moved.append(self._moved(command, message, seen[attempt]))
                continue
            seen[attempt] = command.words[2]
            pushed.append(command.words[2])
            name = message["headers"]["task"].rsplit(".", 1)[1]
            retries = message["headers"]["retries"]
            suffix = f"_retry{retries}" if retries else ""
            data = {
                "redis_db": command.database,
                "redis_command": command.name,
                "redis_list": command.words[1],
                "t": self._t(command),
                "raw": command.words[2],
                "body_decoded": json.loads(base64.b64decode(message["body"])),
                "headers": message["headers"],
                "properties": message["properties"],
            }
            write(self.target, f"celery/{len(pushed):02}_{name}{suffix}.json", data)
        if moved:
            write(self.target, "celery/moved.json", moved)
        data = {
            "redis_db": 1,
            "command": "LRANGE celery 0 -1",
            "elements": queue,
            "identical_to_pushed": [text in pushed for text in queue],
        }
        write(self.target, "celery/list_before_worker.json", data)
        locks = [
            {"t": self._t(command), "db": command.database, "command": command.words}
            for command in self.world.tap.named("SET")
            if command.words[1].startswith("async_lock:")
        ]
        write(self.target, "celery/recording_lock.json", {"commands": locks})
        results = [
            {
                "t": self._t(command),
                "key": command.words[1],
                "ttl": int(command.words[2]),
                "value": _without_traceback(command.words[3]),
            }
            for command in self.world.tap.named("SETEX")
        ]
        write(
            self.target, "celery/task_results.json", {"redis_db": 1, "results": results}
        )

    def _moved(self, command: Command, message: Json, first: str) -> Json:
        """A message that somebody took from a list and put onto another, or back."""
        routing_key = message["properties"]["delivery_info"]["routing_key"]
        return {
            "t": self._t(command),
            "task": message["headers"]["task"],
            "redis_list": command.words[1],
            "routing_key": routing_key,
            "is_as_pushed": command.words[2] == first,
            "is_as_pushed_but_for_the_routing_key": _ROUTING_KEY.sub("", command.words[2])
            == _ROUTING_KEY.sub("", first),
        }

    def _published(self) -> None:
        lines, order, counted = [], [], Counter[str]()
        for command in self.world.tap.named("PUBLISH"):
            if command.words[1].startswith("/"):
                counted[command.words[1]] += 1
        for command, channel, text in published(self.world.tap):
            if channel.startswith("celery-task-meta-"):
                text = _without_traceback(text)
            else:
                event = json.loads(text)["event"]
                order.append(
                    {"t": self._t(command), "channel": channel, "event": event}
                )
            data = {"t": self._t(command), "channel": channel, "data": text}
            lines.append(json.dumps(data) + "\n")
        (self.target / "pubsub.jsonl").write_text("".join(lines))
        write(self.target, "pubsub_order.json", {"order": order, "counted": counted})

    def _requests(self, after: dict[str, Json]) -> None:
        secrets = {room["webhook_secret"] for room in after["room"]}
        shown: list[Json] = []
        calls: list[Json] = []
        numbers = Counter[str]()
        for request in self.world.requests():
            if request["service"] == "llm":
                calls.append(_llm_call(request, len(calls) + 1, after))
                continue
            body = request["body"].encode()
            entry = {
                "service": request["service"],
                "method": request["method"],
                "target": request["path"],
                "headers": request["headers"],
                "body_bytes": len(body),
                "body_sha256": hashlib.sha256(body).hexdigest(),
                "answer_status": request["status"],
            }
            if request["service"] == "transcription":
                entry["body"] = request["body"]
                entry["track_index"] = int(request["about"].removeprefix("track "))
                entry["downloaded_bytes"] = request["downloaded_bytes"]
            if request["service"] in ("zulip", "webhook"):
                numbers[request["service"]] += 1
                n = numbers[request["service"]]
                entry.update(self._body(request, n, secrets))
            shown.append(entry)
        write(self.target, "requests.json", shown)
        if calls:
            write(self.target, "llm_calls.json", {"calls": calls})

    def _body(self, request: Json, n: int, secrets: set[str]) -> dict[str, Json]:
        body = request["body"]
        if request["service"] == "zulip":
            (self.target / f"zulip_{n}.body.txt").write_text(body)
            fields = parse_qs(body, keep_blank_values=True)
            (self.target / f"zulip_{n}.content.md").write_text(fields["content"][0])
            return {"body_file": f"zulip_{n}.body.txt", "form_fields": list(fields)}
        (self.target / f"webhook_{n}.body.json").write_text(body)
        event = json.loads(body)
        data: dict[str, Json] = {"body_file": f"webhook_{n}.body.json"}
        signature = dict(request["headers"]).get("x-webhook-signature")
        if signature is not None:
            data["signature_checked"] = _is_right(signature, body, secrets)
        return {**data, "event_id": event["event_id"], "timestamp": event["timestamp"]}


def _is_right(signature: str, body: str, secrets: set[str]) -> bool:
    """Whether one of the rooms' secrets made it."""
    found = re.fullmatch(r"t=(\d+),v1=(\w+)", signature)
    if found is None:
        return False
    message = f"{found[1]}.{body}".encode()
    return any(
        hmac.new(secret.encode(), message, hashlib.sha256).hexdigest() == found[2]
        for secret in secrets
        if secret
    )


def _llm_call(request: Json, n: int, after: dict[str, Json]) -> dict[str, Json]:
    body = json.loads(request["body"])
    kind, _, ref = request["about"].partition(" ")
    text = "\n".join(message["content"] for message in body["messages"])
    if kind.endswith(".json") and RETRY_AFTER_INVALID in text:
        kind += ".retry"
    names = [p["name"] for t in after["transcript"] for p in t["participants"]]
    headers = dict(request["headers"])
    wanted = ("Accept", "Content-Type", "User-Agent", "Authorization")
    return {
        "n": n,
        "kind": kind,
        "ref": int(ref) if ref.isdigit() else ref or None,
        "path": request["path"],
        "headers": {name: headers.get(name.lower()) for name in wanted},
        "params": {name: value for name, value in body.items() if name != "messages"},
        "has_tools": "tools" in body,
        "has_response_format": "response_format" in body,
        "messages": [
            {"role": message["role"], "chars": len(message["content"])}
            for message in body["messages"]
        ],
        "participant_names_given": bool(names) and all(name in text for name in names),
    }


def _without_traceback(value: str) -> str:
    result = json.loads(value)
    if result.get("traceback"):
        result["traceback"] = LEFT_OUT
    return json.dumps(result)
