"""The GPU service that hears words."""

from __future__ import annotations

from typing import Any

from . import outside
from .captions import Word
from .settings import settings


async def transcribe(url: str, language: str, speaker: int) -> list[Word]:
    """The words of one track, by their start."""
    if settings().transcript_backend != "modal":
        raise ValueError("transcription: TRANSCRIPT_BACKEND must be modal")
    headers = {}
    if settings().transcript_api_key:
        headers["Authorization"] = f"Bearer {settings().transcript_api_key}"
    body = {"audio_file_url": url, "language": language, "batch": True}
    target = f"{settings().transcript_url}/v1/audio/transcriptions-from-url"
    timeout = settings().transcript_timeout
    async with outside.client(timeout, follow_redirects=True) as client:
        response = await client.post(target, headers=headers, json=body)
        response.raise_for_status()
    words = [_word(item, speaker) for item in response.json()["words"]]
    return sorted(words, key=lambda word: word["start"])


def _word(item: dict[str, Any], speaker: int) -> Word:
    start, end = float(item["start"]), float(item["end"])
    if start < 0 or end < 0:
        raise ValueError("transcription: a word's time is negative")
    return {"text": item["word"], "start": start, "end": end, "speaker": speaker}
