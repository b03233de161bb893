"""The meeting's summaries."""

from __future__ import annotations

import logging
from typing import Any

from . import prompts
from .captions import segments
from .database import Row
from .llm import Form, Model

log = logging.getLogger(__name__)


async def summarize(row: Row, session_id: str) -> tuple[str, str]:
    """The short summary and the long one, of a row as it is in the database now."""
    model = Model(session_id, temperature=0.4, max_tokens=2048)
    text = _spoken(row)
    names = [person["name"] for person in row["participants"] or [] if person["name"]]
    if not names:
        names = await _identified(model, text)
    if names:
        text += "\n\n# Participants\n\n" + "\n".join(f"- {name}" for name in names)

    subjects = await _subjects(model, prompts.named(prompts.SUBJECTS, names), text)
    paragraphs = []
    for subject in subjects:
        query = prompts.DETAIL.format(subject=subject)
        detail = (await model.ask(prompts.named(query, names), text)).strip()
        query = prompts.named(prompts.PARAGRAPH, names)
        paragraphs.append((await model.ask(query, detail)).strip())
    told = "\n\n".join(
        f"{subject}: {paragraph}" for subject, paragraph in zip(subjects, paragraphs)
    )
    recap = (await model.ask(prompts.named(prompts.RECAP, names), told)).strip()
    return recap, _long(recap, subjects, paragraphs)


def _spoken(row: Row) -> str:
    """Who says what, a line a segment."""
    names = {person["speaker"]: person["name"] for person in row["participants"] or []}
    lines = []
    for topic in row["topics"]:
        for segment in segments(topic["words"]):
            name = names.get(segment.speaker) or f"Speaker {segment.speaker}"
            lines.append(f"{name}: {segment.text}")
    return "\n".join(lines)


async def _identified(model: Model, text: str) -> list[str]:
    try:
        return await model.fill(prompts.PARTICIPANTS, text, PARTICIPANTS)
    except Exception as error:
        log.warning("summary: naming the participants: %s", type(error).__name__)
        return []


async def _subjects(model: Model, query: str, text: str) -> list[str]:
    try:
        return await model.fill(query, text, SUBJECTS)
    except Exception as error:
        log.warning("summary: finding the subjects: %s", type(error).__name__)
        return []


def _long(recap: str, subjects: list[str], paragraphs: list[str]) -> str:
    lines: list[str] = []
    if recap:
        lines += ["# Quick recap", "", recap, ""]
    if subjects:
        lines += ["# Summary", ""]
    for subject, paragraph in zip(subjects, paragraphs):
        lines += [f"**{subject}**", paragraph, ""]
    return "\n".join(lines)


def _texts(data: dict[str, Any]) -> list[str]:
    subjects = data.get("subjects")
    if not isinstance(subjects, list) or not all(isinstance(s, str) for s in subjects):
        raise ValueError("subjects must be a list of texts")
    return subjects


def _names(data: dict[str, Any]) -> list[str]:
    people = data.get("participants")
    if not isinstance(people, list) or not isinstance(data.get("total_speakers"), int):
        raise ValueError("participants and total_speakers must be there")
    names = [person.get("name") for person in people if isinstance(person, dict)]
    if len(names) < len(people) or not all(isinstance(name, str) for name in names):
        raise ValueError("every participant must have a name")
    return sorted({name for name in names if name})


SUBJECTS = Form(
    {
        "title": "Subjects",
        "type": "object",
        "properties": {"subjects": {"type": "array", "items": {"type": "string"}}},
        "required": ["subjects"],
    },
    _texts,
)
PARTICIPANTS = Form(
    {
        "title": "Participants",
        "type": "object",
        "properties": {
            "participants": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string"},
                        "is_speaker": {"type": "boolean", "default": True},
                    },
                    "required": ["name"],
                },
            },
            "total_speakers": {"type": "integer"},
            "mentioned_only": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["participants", "total_speakers"],
    },
    _names,
)
