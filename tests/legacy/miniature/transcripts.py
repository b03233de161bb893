"""The transcript's row, its events, and what is published of them."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import redis.asyncio

from . import database
from .captions import webvtt
from .database import Connection, Row
from .settings import settings

USER_EVENTS = frozenset({"STATUS", "FINAL_TITLE", "DURATION"})


class Transcripts:
    """Reads and writes transcripts, one statement or transaction at a time."""

    def __init__(self, connection: Connection, publisher: redis.asyncio.Redis) -> None:
        self.connection = connection
        self._publisher = publisher
        self._lock = asyncio.Lock()

    async def get(self, transcript_id: str) -> Row:
        """The row; it must exist."""
        async with self._lock:
            return await self._row(transcript_id)

    async def find(self, column: str, value: str) -> Row | None:
        """The row with this `id` or `recording_id`."""
        query = f"select * from transcript where {column} = %s"
        async with self._lock:
            return await database.one(self.connection, query, value)

    async def create(self, room: Row, meeting: Row, recording_id: str) -> Row:
        """A new transcript of a recorded meeting."""
        row = {
            "id": str(uuid.uuid4()),
            "name": "",
            "status": "idle",
            "locked": False,
            "duration": 0,
            "created_at": datetime.now(UTC),
            "topics": [],
            "events": [],
            "participants": [],
            "source_language": "en",
            "target_language": "en",
            "user_id": room["user_id"],
            "audio_location": "local",
            "share_mode": "public",
            "reviewed": False,
            "meeting_id": meeting["id"],
            "source_kind": "room",
            "recording_id": recording_id,
            "room_id": room["id"],
        }
        async with self._lock:
            await database.insert(self.connection, "transcript", row)
        return row

    async def update(self, transcript_id: str, changes: Row) -> None:
        """Changes columns in a statement of its own, without an event."""
        async with self._lock:
            await self._update(transcript_id, changes)

    async def reset(self, transcript_id: str) -> None:
        """Empties what a run fills anew."""
        async with self._lock, self.connection.transaction():
            await self._row(transcript_id)
            await self._update(
                transcript_id, {"events": [], "topics": [], "participants": []}
            )

    async def set_status(self, transcript_id: str, status: str) -> None:
        """Nothing happens if it is that already."""

        def change(row: Row) -> Row | None:
            return None if row["status"] == status else {"status": status}

        await self.append(transcript_id, "STATUS", {"value": status}, change)

    async def append(
        self,
        transcript_id: str,
        event: str,
        data: dict[str, Any],
        change: Callable[[Row], Row | None] = lambda row: {},
        *,
        publish: bool = True,
    ) -> None:
        """Stores an event together with the change of the row that belongs to it, then publishes.

        `change` gets the row as it is now; its None means that there is nothing to say.
        """
        async with self._lock:
            async with self.connection.transaction():
                row = await self._row(transcript_id)
                changes = change(row)
                if changes is None:
                    return
                stored = {"event": event, "data": data}
                changes["events"] = [*(row["events"] or []), stored]
                await self._update(transcript_id, changes)
            if publish:
                await self._publish(row, event, data)

    async def _publish(self, row: Row, event: str, data: dict[str, Any]) -> None:
        message = json.dumps({"event": event, "data": data})
        await self._publisher.publish(f"ts:{row['id']}", message)
        if row["user_id"] and event in USER_EVENTS:
            data = {"id": row["id"], **data}
            message = json.dumps({"event": f"TRANSCRIPT_{event}", "data": data})
            await self._publisher.publish(f"user:{row['user_id']}", message)

    async def _row(self, transcript_id: str) -> Row:
        query = "select * from transcript where id = %s"
        row = await database.one(self.connection, query, transcript_id)
        if row is None:
            raise LookupError(f"transcript {transcript_id} does not exist")
        return row

    async def _update(self, transcript_id: str, changes: Row) -> None:
        if "topics" in changes:
            words = [word for topic in changes["topics"] for word in topic["words"]]
            changes = {**changes, "webvtt": webvtt(words)}
        await database.update(self.connection, "transcript", transcript_id, changes)


@asynccontextmanager
async def transcripts() -> AsyncIterator[Transcripts]:
    """With connections of their own to database and Redis."""
    publisher = redis.asyncio.Redis(
        host=settings().redis_host, port=settings().redis_port
    )
    try:
        async with database.connect() as connection:
            yield Transcripts(connection, publisher)
    finally:
        await publisher.aclose()
