"""What the keys of Daily's raw tracks say."""

from __future__ import annotations

import posixpath
import re
from datetime import UTC, datetime

CAM_AUDIO = "cam-audio"
_NAME = re.compile(r"\d{13,}-([0-9a-fA-F-]{36})-cam-audio-\d{13,}")
_STAMP = re.compile(r"\d{14}$")


def cam_audio(keys: list[str]) -> list[str]:
    """The microphone tracks."""
    return [key for key in keys if CAM_AUDIO in key]


def participant(key: str) -> str | None:
    """The id of whose track it is."""
    found = _NAME.search(posixpath.basename(key))
    return found and found[1]


def recorded_at(key: str) -> datetime:
    """From the end of the folder's name; now, if that says nothing."""
    found = _STAMP.search(posixpath.basename(posixpath.dirname(key)))
    if found is None:
        return datetime.now(UTC)
    return datetime.strptime(found[0], "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def room_name(daily_room_name: str) -> str:
    """Without the stamp at its end."""
    return daily_room_name.rsplit("-", 1)[0]
