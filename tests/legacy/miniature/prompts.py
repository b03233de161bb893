"""Our own texts for the language model."""

from __future__ import annotations

import json
from typing import Any

SYSTEM = (
    "You work on transcripts of meetings. Use only the material in the message, "
    "never other knowledge, and do not speak of the material itself."
)

TOPIC = (
    "Name what this excerpt of a meeting is mainly about: a specific, professional title, "
    "and a summary of at most two sentences. Leave small talk out.\n\nExcerpt:\n{excerpt}"
)
TITLE = (
    "Give the meeting one title on one line: a noun phrase of at most ten words, "
    "nothing generic. Its topics were:\n{topics}"
)
PARTICIPANTS = (
    "List who takes part in this meeting, who is only mentioned, and how many speak."
)
SUBJECTS = (
    "List the main subjects of this meeting as short noun phrases, at most six of them."
)
DETAIL = (
    'Tell everything that was said on "{subject}": arguments, decisions, action items, '
    "open points. At most a page."
)
PARAGRAPH = "Put these notes into one paragraph."
RECAP = (
    "Write a quick recap of the meeting in one paragraph, "
    "without decisions and action items."
)


def user(text: str, query: str) -> str:
    """The message of a plain call."""
    return f"Material:\n\n{text}\n\n---\n\nTask: {query}\n\nAnswer:"


def named(query: str, names: list[str]) -> str:
    """A query whose answer must call people by their names."""
    if not names:
        return query
    return (
        f"{query}\n\nThe people are {', '.join(names)}. Call them by these names and never "
        "by general words such as speaker or participant."
    )


def form(analysis: str, schema: dict[str, Any]) -> str:
    """Asks for an analysis in a form; the schema's braces are doubled, as the legacy's are."""
    doubled = json.dumps(schema).replace("{", "{{").replace("}", "}}")
    return (
        f"Put the analysis into one JSON object.\n\nAnalysis:\n{analysis}\n\n"
        f"The object's schema:\n{doubled}\n\nReturn the object alone."
    )


def repair(answer: str, error: str) -> str:
    """What is added when an answer did not fit."""
    return (
        f"\n\nThe answer before did not fit:\n{answer[:2000]}\n\nThe error was: {error}\n\n"
        "Return only valid JSON."
    )
