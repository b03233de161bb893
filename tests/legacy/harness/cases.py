"""The recorded cases: what is there before, what is special, what sets them off."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
STANDUP = ROOT / "tests/fixtures/standup"

RECORDED_AS_KNOWN = "11111111-2222-4333-8444-000000000020"
"""The recording that Daily's stand-in knows by itself."""


@dataclass(frozen=True)
class Case:
    """One folder of `expected`."""

    name: str
    variants: dict[str, str] = field(default_factory=dict)
    """Of the stand-ins' answers, by service."""
    faults: tuple[dict[str, Any], ...] = ()
    """As the stand-ins take them."""
    wordless: bool = False
    """Transcription hears nothing in any track."""
    last_topic_only: bool = False
    """The model gives the last chunk's answer to every chunk."""
    zulip_message_id: int | None = None
    """Of the next message that is posted, if it is another one than the first."""
    content_types: dict[str, str] = field(default_factory=dict)
    """Of objects that need another one than was recorded, by the end of the key."""

    @property
    def folder(self) -> Path:
        """Where what is expected lies."""
        return STANDUP / "expected" / self.name

    @property
    def is_post_chain(self) -> bool:
        """Whether only the tasks after the pipeline run."""
        return self.name.startswith("post_")

    @cached_property
    def recorded_rows(self) -> dict[str, list[dict[str, Any]]]:
        """By table, as they were written down; of the post chain's cases only in part."""
        return json.loads((self.folder / "db_before.json").read_text())

    @cached_property
    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """By table; what was not written down is as the base case left it."""
        if not self.is_post_chain:
            return self.recorded_rows
        rows = json.loads((STANDUP / "expected/base/db_after.json").read_text())
        for table, recorded in self.recorded_rows.items():
            rows[table] = [{**row, **own} for row, own in zip(rows[table], recorded)]
        return rows

    @cached_property
    def webhook(self) -> dict[str, Any]:
        """The request of Daily's that sets everything off."""
        return json.loads((self.folder / "daily_webhook_in.json").read_text())[
            "request"
        ]

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """What the store holds before."""
        path = self.folder / "s3.json"
        return json.loads(path.read_text())["before"] if path.exists() else []

    def all_variants(self) -> dict[str, str]:
        """With the one that makes Daily's stand-in know this recording."""
        if not self.is_post_chain:
            recording = self.webhook["body"]["payload"]["recording_id"]
            if recording != RECORDED_AS_KNOWN:
                return {"daily": "any_recording", **self.variants}
        return self.variants


def _status(service: str, status: int, times: int) -> dict[str, Any]:
    return {"service": service, "kind": "status", "status": status, "times": times}


CASES = {
    case.name: case
    for case in (
        Case("base"),
        # The recorder's stand-in went on counting from an earlier case, past its last answer.
        Case("consent_denied", last_topic_only=True),
        Case(
            "silent_track",
            variants={"transcription": "silent", "llm": "invalid_answer"},
        ),
        Case("all_tracks_wordless", wordless=True),
        Case(
            "start0_track",
            # The stand-in refuses, as the service does, what has neither a known ending
            # nor a known type; the recorded one did not look.
            content_types={"-cam-audio-1760954400209": "audio/mp4"},
        ),
        Case("transcription_failure", variants={"transcription": "failure"}),
        Case("webhook_retry", faults=(_status("webhook", 500, 2),)),
        Case("reprocess_zulip_patch"),
        Case("post_no_webhook_secret"),
        Case("post_no_zulip_auto_post"),
        Case("post_webhook_410", variants={"webhook": "gone"}),
        Case("post_zulip_failure", variants={"zulip": "post_failure"}),
        Case(
            "post_zulip_patch_invalid",
            variants={"zulip": "patch_invalid"},
            zulip_message_id=5151,
        ),
    )
}


def write_answers(case: Case, folder: Path) -> None:
    """The stand-ins' answers, changed as the case wants them."""
    shutil.copytree(
        STANDUP / "providers",
        folder,
        copy_function=shutil.copyfile,
        dirs_exist_ok=True,
    )
    if case.wordless:
        with _changed(folder / "transcription.json") as data:
            data["tracks"] = []
    if case.last_topic_only:
        with _changed(folder / "llm.json") as data:
            for kind in ("topic.analysis", "topic.json"):
                values = data["answers"][kind]["values"]
                values[:] = [values[-1]] * len(values)
    if case.zulip_message_id is not None:
        with _changed(folder / "zulip.json") as data:
            data["post"]["answer"]["id"] = case.zulip_message_id


@contextmanager
def _changed(path: Path) -> Iterator[dict[str, Any]]:
    data = json.loads(path.read_text())
    yield data
    path.write_text(json.dumps(data))


def content_of(item: dict[str, Any]) -> bytes:
    """An object's bytes; camera videos were dummies, of which only the length is known."""
    known = _by_digest()
    if item["sha256"] in known:
        return known[item["sha256"]].read_bytes()
    return b"\0" * item["size"]


def _by_digest() -> dict[str, Path]:
    files = [*(STANDUP / "input/tracks").iterdir(), STANDUP / "expected/base/audio.mp3"]
    return {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in files}
