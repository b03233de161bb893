"""Words to segments, and segments to WebVTT."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Word = dict[str, Any]

PUNCTUATION = frozenset(".;:?!…")
LONG_ENOUGH = 120


@dataclass
class Segment:
    """What one speaker says at a stretch; times in seconds."""

    text: str
    start: float
    end: float
    speaker: int


def segments(words: Iterable[Word]) -> list[Segment]:
    """Cuts where the speaker changes, and at punctuation once a segment is long."""
    done: list[Segment] = []
    current: Segment | None = None
    for word in words:
        if current is not None and current.speaker != word["speaker"]:
            done.append(current)
            current = None
        if current is None:
            current = Segment(word["text"], word["start"], word["end"], word["speaker"])
            continue
        current.text += word["text"]
        current.end = word["end"]
        if PUNCTUATION & set(word["text"]) and len(current.text) > LONG_ENOUGH:
            done.append(current)
            current = None
    if current is not None:
        done.append(current)
    return done


def webvtt(words: list[Word]) -> str:
    """One cue a segment. The words must be in order."""
    for word, after in zip(words, words[1:]):
        assert word["start"] <= after["start"], "captions: the words are not in order"
    lines = ["WEBVTT"]
    for segment in segments(words):
        lines += [
            "",
            f"{_clock(segment.start)} --> {_clock(segment.end)}",
            f"<v Speaker{segment.speaker}>{segment.text.strip()}",
        ]
    return "\n".join(lines) + "\n"


def _clock(seconds: float) -> str:
    """`HH:MM:SS.mmm`, cut and not rounded."""
    hours = int(seconds // 3600)
    minutes = int((seconds % 3600) // 60)
    thousandths = int((seconds % 1) * 1000)
    return f"{hours:02}:{minutes:02}:{int(seconds % 60):02}.{thousandths:03}"
