"""The few routes that start or change a run: `python -m miniature.api PORT`."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import uuid
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from . import daily, database, events, tasks
from .app import app

Answer = tuple[int, dict[str, Any]]
OK: Answer = (200, {"status": "ok"})


def daily_webhook(headers: Any, body: bytes) -> Answer:
    """`POST /v1/daily/webhook`"""
    given = headers.get("X-Webhook-Signature", "")
    if not daily.is_signed(given, headers.get("X-Webhook-Timestamp", ""), body):
        return 401, {"detail": "Invalid webhook signature"}
    try:
        event = json.loads(body)
        if isinstance(event, dict) and event.get("test") == "test":
            return OK
        arguments = events.recording_in(event)
    except ValueError as error:
        return 422, {"detail": str(error)}
    if arguments is not None:
        tasks.process_multitrack_recording.delay(**arguments)
    return OK


def process(transcript_id: str) -> Answer:
    """`POST /v1/transcripts/{id}/process`"""

    async def rows() -> tuple[database.Row | None, database.Row | None]:
        async with database.connect() as connection:
            query = "select * from transcript where id = %s"
            transcript = await database.one(connection, query, transcript_id)
            recording_id = transcript and transcript["recording_id"]
            query = "select * from recording where id = %s"
            return transcript, await database.one(connection, query, recording_id)

    transcript, recording = asyncio.run(rows())
    if transcript is None:
        return 404, {"detail": "Transcript not found"}
    if transcript["locked"]:
        return 400, {"detail": "Transcript is locked"}
    if transcript["status"] == "idle":
        return 400, {"detail": "Recording is not ready for processing"}
    if _is_running(transcript_id):
        return 400, {"detail": "already running"}
    if recording is None or not recording["track_keys"]:
        return 500, {"detail": "No tracks to process"}
    tasks.task_pipeline_multitrack_process.delay(
        transcript_id=transcript_id,
        bucket_name=recording["bucket_name"],
        track_keys=recording["track_keys"],
    )
    return OK


def _is_running(transcript_id: str) -> bool:
    """By arguments that the multitrack task never has: so it is never seen, as in the legacy."""
    inspect = app.control.inspect()
    running = {**(inspect.scheduled() or {}), **(inspect.active() or {})}
    name = tasks.task_pipeline_multitrack_process.name
    wanted = {"transcript_id": transcript_id}
    return any(
        (task.get("request") or task).get("name") == name
        and (task.get("request") or task).get("kwargs") == wanted
        for worker in running.values()
        for task in worker
    )


def consent(meeting_id: str, body: bytes) -> Answer:
    """`POST /v1/meetings/{id}/consent`, by somebody who is not logged in"""
    try:
        given = json.loads(body)["consent_given"]
    except (ValueError, KeyError, TypeError):
        given = None
    if not isinstance(given, bool):
        return 422, {"detail": "`consent_given` must be true or false"}

    async def add() -> bool:
        async with database.connect() as connection:
            query = "select id from meeting where id = %s"
            if await database.one(connection, query, meeting_id) is None:
                return False
            row = {
                "id": str(uuid.uuid4()),
                "meeting_id": meeting_id,
                "user_id": None,
                "consent_given": given,
                "consent_timestamp": datetime.now(UTC),
            }
            await database.insert(connection, "meeting_consent", row)
            return True

    return OK if asyncio.run(add()) else (404, {"detail": "Meeting not found"})


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, answer = self._answer(body)
        text = json.dumps(answer, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _answer(self, body: bytes) -> Answer:
        if self.path == "/v1/daily/webhook":
            return daily_webhook(self.headers, body)
        if found := re.fullmatch(r"/v1/transcripts/([^/]+)/process", self.path):
            return process(found[1])
        if found := re.fullmatch(r"/v1/meetings/([^/]+)/consent", self.path):
            return consent(found[1], body)
        return 404, {"detail": "Not Found"}


def main() -> None:
    """Serves on loopback until it is stopped."""
    address = ("127.0.0.1", int(sys.argv[1]))
    ThreadingHTTPServer(address, Handler).serve_forever()


if __name__ == "__main__":
    main()
