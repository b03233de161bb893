"""Daily's webhook events."""

from __future__ import annotations

from typing import Any

from . import recordings
from .settings import settings


class Invalid(ValueError):
    """An event that is not as it should be."""


_NEEDED: dict[str, dict[str, type | tuple[type, ...]]] = {
    "participant.joined": {
        "session_id": str,
        "user_id": str,
        "joined_at": (int, float),
    },
    "participant.left": {"session_id": str, "user_id": str, "joined_at": (int, float)},
    "recording.started": {"recording_id": str},
    "recording.ready-to-download": {
        "type": str,
        "recording_id": str,
        "room_name": str,
        "start_ts": (int, float),
        "status": str,
        "max_participants": int,
        "duration": int,
        "s3_key": str,
    },
    "recording.error": {
        "action": str,
        "error_msg": str,
        "instance_id": str,
        "room_name": str,
        "timestamp": int,
    },
}


def recording_in(event: Any) -> dict[str, Any] | None:
    """What the task that begins a recording is to be called with, if the event asks for it."""
    payload = _checked(event)
    if event["type"] != "recording.ready-to-download":
        return None
    keys = recordings.audio_keys(payload.get("tracks") or [])
    if not payload.get("tracks") or not settings().daily_bucket:
        return None
    return recordings.arguments(payload["room_name"], payload["recording_id"], keys)


def _checked(event: Any) -> dict[str, Any]:
    """The payload."""
    if not isinstance(event, dict):
        raise Invalid("an event is an object")
    _need(event, {"version": str, "type": str, "id": str, "payload": dict})
    _need(event, {"event_ts": (int, float)})
    needed = _NEEDED.get(event["type"])
    if needed is None:
        raise Invalid("an event of an unknown type")
    payload = event["payload"]
    _need(payload, needed)
    if event["type"] == "recording.ready-to-download":
        if payload["type"] not in ("cloud", "raw-tracks"):
            raise Invalid("`type` of the recording")
        if payload["status"] != "finished":
            raise Invalid("`status` of the recording")
        for track in payload.get("tracks") or []:
            _need(track, {"type": str, "s3Key": str, "size": int})
            if track["type"] not in ("audio", "video"):
                raise Invalid("`type` of a track")
    return payload


def _need(item: dict[str, Any], kinds: dict[str, type | tuple[type, ...]]) -> None:
    for name, kind in kinds.items():
        value = item.get(name)
        if not isinstance(value, kind) or value == "":
            raise Invalid(f"`{name}` is missing or of another kind")
