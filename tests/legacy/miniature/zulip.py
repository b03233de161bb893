"""The message in Zulip."""

from __future__ import annotations

import logging
from datetime import UTC, timedelta
from urllib.parse import urlsplit

import httpx

from . import database, outside
from .database import Row
from .settings import settings
from .transcripts import transcripts

log = logging.getLogger(__name__)

TIMEOUT = 5.0


async def post(transcript_id: str) -> None:
    """Edits the message there is, or posts a new one, if the room wants it."""
    async with transcripts() as store:
        transcript = await store.get(transcript_id)
        room = await database.one(
            store.connection,
            "select room.* from recording join meeting on meeting.id = recording.meeting_id"
            " join room on room.id = meeting.room_id where recording.id = %s",
            transcript["recording_id"],
        )
        if room is None or not room["zulip_auto_post"]:
            return
        form = {"topic": room["zulip_topic"], "content": content(transcript)}
        message_id = transcript["zulip_message_id"]
        if message_id is not None:
            try:
                await _send("PATCH", f"/messages/{message_id}", form)
                return
            except Exception as error:
                log.error("zulip: editing the message: %s", type(error).__name__)
        form = {"type": "stream", "to": room["zulip_stream"], **form}
        answer = await _send("POST", "/messages", form)
        await store.update(transcript_id, {"zulip_message_id": answer.json()["id"]})


async def _send(method: str, path: str, form: dict[str, str]) -> httpx.Response:
    async with outside.client(TIMEOUT) as client:
        response = await client.request(
            method,
            f"https://{settings().zulip_realm}/api/v1{path}",
            data=form,
            auth=(settings().zulip_bot_email, settings().zulip_api_key),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        response.raise_for_status()
        return response


def content(transcript: Row) -> str:
    """The message's text."""
    base = settings().ui_base_url
    created = transcript["created_at"].astimezone(UTC)
    link = f"[{urlsplit(base).netloc}]({base}/transcripts/{transcript['id']})"
    lines = [
        f"# Reflector – {transcript['title'] or 'Unnamed recording'}",
        "",
        f"**Date**: <time:{created.isoformat(timespec='microseconds')}>",
        f"**Link**: {link}",
        f"**Duration**: {clock(transcript['duration'] / 1000)}",
        "",
        "```spoiler Summary",
        transcript["long_summary"] or "No summary available",
        "```",
        "",
    ]
    if transcript["topics"]:
        lines.append("```spoiler Topics")
        lines += [
            f"1. [{clock(topic['timestamp'])}] {topic['title']}"
            for topic in transcript["topics"]
        ]
        lines += ["```", ""]
    return "\n".join([*lines, "-----", ""])


def clock(seconds: float) -> str:
    """Whole seconds, without hours below one."""
    return str(timedelta(seconds=int(seconds))).removeprefix("0:")
