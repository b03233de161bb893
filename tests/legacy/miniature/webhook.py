"""The customer's webhook."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any

from . import database, outside
from .captions import webvtt
from .database import Connection, Row
from .settings import settings

TIMEOUT = 30.0
EVENT = "transcript.completed"


async def is_wanted(transcript_id: str) -> str | None:
    """The room's id, if it is to be told."""
    query = (
        "select room.id from transcript join room on room.id = transcript.room_id"
        " where transcript.id = %s and source_kind = 'room' and webhook_url <> ''"
    )
    async with database.connect() as connection:
        row = await database.one(connection, query, transcript_id)
    return row["id"] if row else None


async def deliver(transcript_id: str, room_id: str, event_id: str, retry: int) -> None:
    """One attempt; raises what the receiver answered, redirections too."""
    async with database.connect() as connection:
        query = "select * from transcript where id = %s"
        transcript = await database.one(connection, query, transcript_id)
        query = "select * from room where id = %s"
        room = await database.one(connection, query, room_id)
        if transcript is None or room is None or not room["webhook_url"]:
            return
        calendar = await _calendar_event(connection, transcript)
    body = json.dumps(
        payload(transcript, room, calendar, event_id), separators=(",", ":")
    )
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Reflector-Webhook/1.0",
        "X-Webhook-Event": EVENT,
        "X-Webhook-Retry": str(retry),
    }
    if room["webhook_secret"]:
        headers["X-Webhook-Signature"] = signature(room["webhook_secret"], body)
    async with outside.client(TIMEOUT) as client:
        response = await client.post(
            room["webhook_url"], content=body.encode(), headers=headers
        )
        response.raise_for_status()


def signature(secret: str, body: str) -> str:
    """Of this moment."""
    now = int(time.time())
    message = f"{now}.{body}".encode()
    digest = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
    return f"t={now},v1={digest}"


def payload(transcript: Row, room: Row, calendar: Row | None, event_id: str) -> Row:
    """The body, its keys in order."""
    return {
        "event": EVENT,
        "event_id": event_id,
        "timestamp": datetime.now(UTC).isoformat(),
        "transcript": {
            "id": transcript["id"],
            "room_id": transcript["room_id"],
            "created_at": _iso(transcript["created_at"]),
            "duration": transcript["duration"],
            "title": transcript["title"],
            "short_summary": transcript["short_summary"],
            "long_summary": transcript["long_summary"],
            "webvtt": transcript["webvtt"],
            "topics": [
                {
                    "title": topic["title"],
                    "summary": topic["summary"],
                    "timestamp": topic["timestamp"],
                    "duration": topic["duration"],
                    "webvtt": webvtt(topic["words"]) if topic["words"] else "",
                }
                for topic in transcript["topics"]
            ],
            "participants": [
                {name: person[name] for name in ("id", "name", "speaker")}
                for person in transcript["participants"] or []
            ],
            "source_language": transcript["source_language"],
            "target_language": transcript["target_language"],
            "status": transcript["status"],
            "frontend_url": f"{settings().ui_base_url}/transcripts/{transcript['id']}",
        },
        "room": {"id": room["id"], "name": room["name"]},
        "calendar_event": _calendar(calendar) if calendar else {},
    }


async def _calendar_event(connection: Connection, transcript: Row) -> Row | None:
    query = (
        "select calendar_event.* from meeting join calendar_event"
        " on calendar_event.id = meeting.calendar_event_id where meeting.id = %s"
    )
    return await database.one(connection, query, transcript["meeting_id"])


def _calendar(event: Row) -> dict[str, Any]:
    shown = {
        "id": event["id"],
        "ics_uid": event["ics_uid"],
        "title": event["title"],
        "start_time": _iso(event["start_time"]),
        "end_time": _iso(event["end_time"]),
    }
    for name in ("description", "location", "attendees"):
        if event[name]:
            shown[name] = event[name]
    return shown


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None
