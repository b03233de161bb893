"""From a finished recording to the rows that its pipeline works on."""

from __future__ import annotations

import asyncio
import logging
import posixpath
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import redis.asyncio
from redis.asyncio.lock import Lock

from . import database, tracks
from .daily import Daily
from .settings import settings
from .transcripts import transcripts

log = logging.getLogger(__name__)

LOCK_SECONDS = 600
EXTEND_SECONDS = 60


@asynccontextmanager
async def locked(recording_id: str) -> AsyncIterator[bool]:
    """The recording's lock, without waiting: whether we have it."""
    client = redis.asyncio.Redis(host=settings().redis_host, port=settings().redis_port)
    lock = Lock(client, f"async_lock:recording:{recording_id}", timeout=LOCK_SECONDS)
    try:
        if not await lock.acquire(blocking=False):
            yield False
            return
        extending = asyncio.create_task(_extend(lock))
        try:
            yield True
        finally:
            extending.cancel()
            with suppress(asyncio.CancelledError):
                await extending
            await lock.release()
    finally:
        await client.aclose()


async def _extend(lock: Lock) -> None:
    while True:
        await asyncio.sleep(EXTEND_SECONDS)
        await lock.reacquire()


async def prepare(
    bucket: str, daily_room_name: str, recording_id: str, keys: list[str]
) -> str:
    """Adds the rows that are missing, and gives the transcript's id."""
    async with transcripts() as store:
        connection = store.connection
        meeting = await database.one(
            connection,
            "select * from meeting where room_name = %s order by end_date desc limit 1",
            daily_room_name,
        )
        name = tracks.room_name(daily_room_name)
        room = await database.one(
            connection, "select * from room where name = %s", name
        )
        if room is None:
            raise LookupError(f"recording {recording_id}: its room does not exist")
        if meeting is None:
            raise LookupError(f"recording {recording_id}: its meeting does not exist")
        if not await _is_known(connection, recording_id):
            row = {
                "id": recording_id,
                "bucket_name": bucket,
                "object_key": posixpath.dirname(keys[0]),
                "recorded_at": tracks.recorded_at(keys[0]),
                "status": "pending",
                "meeting_id": meeting["id"],
                "track_keys": keys,
            }
            await database.insert(connection, "recording", row)
        transcript = await store.find("recording_id", recording_id)
        if transcript is None:
            transcript = await store.create(room, meeting, recording_id)
        return transcript["id"]


async def unknown() -> list[dict[str, Any]]:
    """Arguments for every recording of Daily's that has audio tracks and no row."""
    recordings = await Daily().recordings()
    found = []
    async with database.connect() as connection:
        for recording in recordings:
            if await _is_known(connection, recording["id"]):
                continue
            keys = audio_keys(recording["tracks"])
            if keys:
                found.append(arguments(recording["room_name"], recording["id"], keys))
    return found


def audio_keys(items: list[dict[str, Any]]) -> list[str]:
    """The keys of the tracks that are audio, screens included."""
    return [item["s3Key"] for item in items if item["type"] == "audio"]


def arguments(
    daily_room_name: str, recording_id: str, keys: list[str]
) -> dict[str, Any]:
    """What the task that begins a recording is called with."""
    return {
        "bucket_name": settings().daily_bucket,
        "daily_room_name": daily_room_name,
        "recording_id": recording_id,
        "track_keys": keys,
    }


async def _is_known(connection: database.Connection, recording_id: str) -> bool:
    query = "select id from recording where id = %s"
    return await database.one(connection, query, recording_id) is not None
