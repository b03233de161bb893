"""What happens to the audio when somebody denied consent."""

from __future__ import annotations

import logging

from . import database, storage
from .database import Row
from .settings import settings
from .transcripts import Transcripts, transcripts

log = logging.getLogger(__name__)


async def clean_up(transcript_id: str) -> None:
    """Deletes sources and audio if at least one consent was denied; the texts stay."""
    async with transcripts() as store:
        transcript = await store.get(transcript_id)
        recording = await denied_recording(store, transcript)
        if recording is None:
            return
        failed = False
        for bucket, key in _objects(transcript, recording):
            try:
                await storage.delete(key, bucket)
            except Exception as error:
                log.error("consent: deleting an object: %s", type(error).__name__)
                failed = True
        for name in ("audio.mp3", "audio.wav"):
            (settings().folder(transcript_id) / name).unlink(missing_ok=True)
        if not failed:
            await store.update(transcript_id, {"audio_deleted": True})


async def denied_recording(store: Transcripts, transcript: Row) -> Row | None:
    """The recording, if consent to its meeting was denied."""
    query = (
        "select recording.* from recording where id = %s and exists (select from"
        " meeting_consent c where c.meeting_id = recording.meeting_id"
        " and not c.consent_given)"
    )
    return await database.one(store.connection, query, transcript["recording_id"])


def _objects(transcript: Row, recording: Row) -> list[tuple[str | None, str]]:
    """Buckets (None for our own) and keys."""
    objects: list[tuple[str | None, str]] = []
    if recording["bucket_name"]:
        keys = recording["track_keys"] or [recording["object_key"]]
        objects += [(recording["bucket_name"], key) for key in keys]
    if transcript["audio_location"] == "storage":
        objects.append((None, f"{transcript['id']}/audio.mp3"))
    return objects
