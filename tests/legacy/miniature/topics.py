"""Topics of a meeting, and its title."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from . import prompts
from .captions import Word
from .llm import Form, Model
from .settings import settings

SLICE = 300


def chunks(words: list[Word]) -> Iterator[list[Word]]:
    """Slices of 300 words, joined until their text is long enough; the rest always counts."""
    gathered: list[Word] = []
    for start in range(0, len(words), SLICE):
        gathered += words[start : start + SLICE]
        if len(text_of(gathered)) > settings().min_transcript_length:
            yield gathered
            gathered = []
    if gathered:
        yield gathered


def text_of(words: list[Word]) -> str:
    """Words carry their own spaces."""
    return "".join(word["text"] for word in words)


async def detect(words: list[Word], session_id: str) -> dict[str, Any]:
    """The topic of one chunk."""
    excerpt = text_of(words)
    model = Model(session_id, temperature=0.9, max_tokens=500)
    query = prompts.TOPIC.format(excerpt=excerpt)
    title, summary = await model.fill(query, excerpt, TOPIC)
    return {
        "id": str(uuid.uuid4()),
        "title": clean_title(title),
        "summary": summary,
        "timestamp": words[0]["start"],
        "duration": 0,
        "transcript": excerpt,
        "words": words,
    }


async def title_of(topics: list[dict[str, Any]], session_id: str) -> str:
    """A title for the whole meeting."""
    titles = "\n".join(f"- {topic['title']}" for topic in topics)
    model = Model(session_id, temperature=0.5, max_tokens=200)
    answer = await model.ask(prompts.TITLE.format(topics=titles), titles)
    return clean_title(answer.strip())


def clean_title(title: str) -> str:
    """Without quotes around; the first and every longer word with a capital, all else small."""
    words = title.strip("\"'").split()
    return " ".join(
        (
            word[:1].upper() + word[1:].lower()
            if place == 0 or len(word) > 3
            else word.lower()
        )
        for place, word in enumerate(words)
    )


def _topic(data: dict[str, Any]) -> tuple[str, str]:
    title = data.get("title", data.get("Title"))
    summary = data.get("summary", data.get("Summary"))
    if not isinstance(title, str) or not isinstance(summary, str):
        raise ValueError("title and summary must both be there, as texts")
    return title, summary


TOPIC = Form(
    {
        "title": "Topic",
        "type": "object",
        "properties": {"title": {"type": "string"}, "summary": {"type": "string"}},
        "required": ["title", "summary"],
    },
    _topic,
)
