"""The pipeline of one recording, from tracks to summaries."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from . import (
    mixdown,
    padding,
    storage,
    summary,
    topics,
    tracks,
    transcription,
    waveform,
)
from .captions import Word
from .daily import Daily
from .database import Row
from .settings import settings
from .transcripts import Transcripts, transcripts

log = logging.getLogger(__name__)

URL_SECONDS = 7200


async def run(
    transcript_id: str, bucket: str, keys: list[str], session_id: str
) -> None:
    """Runs everything. A failure leaves the status `error`, and nothing is cleaned up."""
    async with transcripts() as store:
        try:
            await Run(store, transcript_id, session_id).all_steps(bucket, keys)
        except Exception:
            await store.set_status(transcript_id, "error")
            raise


class Run:
    """One run for one transcript."""

    def __init__(self, store: Transcripts, transcript_id: str, session_id: str) -> None:
        self.store = store
        self.id = transcript_id
        self.session_id = session_id

    async def all_steps(self, bucket: str, keys: list[str]) -> None:
        """The steps in their order."""
        await self.store.set_status(self.id, "processing")
        # As it was before the reset: a rerun brings old participants back.
        before = await self.store.get(self.id)
        await self.store.reset(self.id)
        await self.set_participants(before, keys)

        sources = [storage.presign(key, URL_SECONDS, bucket) for key in keys]
        padded = [await self.pad(place, url) for place, url in enumerate(sources)]
        urls = [
            storage.presign(key, URL_SECONDS) if key else url
            for key, url in zip(padded, sources)
        ]
        audio = await self.mix(urls)
        await self.draw(audio)
        words = await self.transcribe(urls, before["source_language"])
        await self.delete_padded([key for key in padded if key])

        words.sort(key=lambda word: word["start"])
        data = {"text": topics.text_of(words), "translation": None}
        await self.store.append(self.id, "TRANSCRIPT", data)
        found = [await self.topic(chunk) for chunk in topics.chunks(words)]
        if found:
            await asyncio.gather(self.title(found), self.summaries())
        await self.store.set_status(self.id, "ended")

    async def set_participants(self, before: Row, keys: list[str]) -> None:
        """From Daily, by the ids in the tracks' names; without Daily's answer there are none."""
        if not before["recording_id"]:
            return
        try:
            daily = Daily()
            recording = await daily.recording(before["recording_id"])
        except Exception as error:
            log.warning("pipeline: asking for the recording: %s", type(error).__name__)
            return
        people = []
        if recording.get("mtgSessionId"):
            try:
                people = await daily.participants(recording["mtgSessionId"])
            except Exception as error:
                log.warning("pipeline: asking who was there: %s", type(error).__name__)
        known = {person["participant_id"]: person for person in people}

        participants = list(before["participants"] or [])
        for speaker, key in enumerate(tracks.cam_audio(keys)):
            person_id = tracks.participant(key)
            if person_id is None:
                log.error("pipeline: track %d has no participant in its name", speaker)
                continue
            person = known.get(person_id, {})
            entry = {
                "id": person_id,
                "speaker": speaker,
                "name": person.get("user_name") or f"Speaker {speaker}",
                "user_id": person.get("user_id") or None,
            }
            ids = [participant["id"] for participant in participants]
            if person_id in ids:
                participants[ids.index(person_id)] = entry
            else:
                participants.append(entry)
            await self.store.update(self.id, {"participants": participants})

    async def pad(self, place: int, url: str) -> str | None:
        """The padded track's key; none if the track needs no padding."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"padded_{place}.webm"
            if not await asyncio.to_thread(padding.pad, url, path):
                return None
            key = f"file_pipeline/{self.id}/tracks/padded_{place}.webm"
            await storage.upload(path, key)
            return key

    async def mix(self, urls: list[str]) -> Path:
        """The mixed audio, stored."""
        path = settings().folder(self.id) / "audio.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        duration = await asyncio.to_thread(mixdown.mix, urls, path)
        if duration > 0:
            data = {"duration": duration}
            await self.store.append(self.id, "DURATION", data, lambda row: dict(data))
        await storage.upload(path, f"{self.id}/audio.mp3")
        await self.store.update(self.id, {"audio_location": "storage"})
        return path

    async def draw(self, audio: Path) -> None:
        """The waveform: a local file, and an event that is stored only."""
        peaks = await asyncio.to_thread(waveform.peaks, audio)
        audio.with_name("audio.json").write_text(json.dumps(peaks))
        data = {"waveform": peaks}
        await self.store.append(self.id, "WAVEFORM", data, publish=False)

    async def transcribe(self, urls: list[str], language: str) -> list[Word]:
        """The words of all tracks, one track after the other."""
        words: list[Word] = []
        for speaker, url in enumerate(urls):
            words += await transcription.transcribe(url, language, speaker)
        return words

    async def delete_padded(self, keys: list[str]) -> None:
        """All at once; what fails stays."""
        deletions = (storage.delete(key) for key in keys)
        for outcome in await asyncio.gather(*deletions, return_exceptions=True):
            if isinstance(outcome, BaseException):
                log.warning("pipeline: deleting a track: %s", type(outcome).__name__)

    async def topic(self, words: list[Word]) -> dict[str, Any]:
        """The topic of some words, stored and published."""
        topic = await topics.detect(words, self.session_id)
        # Reading the row turns the whole number into a fraction, the event keeps it.
        stored = {**topic, "duration": 0.0}
        await self.store.append(
            self.id, "TOPIC", topic, lambda row: {"topics": [*row["topics"], stored]}
        )
        return topic

    async def title(self, found: list[dict[str, Any]]) -> None:
        """A title, which is told in any case but only kept if there is none."""
        title = await topics.title_of(found, self.session_id)
        await self.store.append(
            self.id,
            "FINAL_TITLE",
            {"title": title},
            lambda row: {} if row["title"] else {"title": title},
        )

    async def summaries(self) -> None:
        """The short summary, then the long one."""
        row = await self.store.get(self.id)
        short, long = await summary.summarize(row, self.session_id)
        if short:
            await self._keep("FINAL_SHORT_SUMMARY", {"short_summary": short})
        await self._keep("FINAL_LONG_SUMMARY", {"long_summary": long})

    async def _keep(self, event: str, data: dict[str, Any]) -> None:
        await self.store.append(self.id, event, data, lambda row: dict(data))
