"""Daily: its REST API and the signature of its webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

from . import outside
from .settings import settings

URL = "https://api.daily.co/v1"
TIMEOUT = 10.0


class Daily:
    """A client; making one needs Daily's settings."""

    def __init__(self) -> None:
        known = settings()
        needed = {
            "DAILY_API_KEY": known.daily_api_key,
            "DAILY_SUBDOMAIN": known.daily_subdomain,
            "DAILYCO_STORAGE_AWS_BUCKET_NAME": known.daily_bucket,
            "DAILYCO_STORAGE_AWS_REGION": known.daily_region,
            "DAILYCO_STORAGE_AWS_ROLE_ARN": known.daily_role_arn,
        }
        missing = [name for name, value in needed.items() if not value]
        if missing:
            raise ValueError(f"daily: set {', '.join(missing)}")

    async def recording(self, recording_id: str) -> dict[str, Any]:
        """One recording."""
        return _recording(await self._get(f"/recordings/{recording_id}"))

    async def recordings(self) -> list[dict[str, Any]]:
        """The latest hundred; one that is malformed spoils them all."""
        answer = await self._get("/recordings?limit=100")
        return [_recording(item) for item in answer["data"]]

    async def participants(self, session_id: str) -> list[dict[str, Any]]:
        """Who was in a session."""
        answer = await self._get(f"/meetings/{session_id}/participants")
        for person in answer["data"]:
            _need(person, participant_id=str, join_time=int, duration=int)
        return answer["data"]

    async def _get(self, path: str) -> dict[str, Any]:
        headers = {
            "Authorization": f"Bearer {settings().daily_api_key}",
            "Content-Type": "application/json",
        }
        async with outside.client(TIMEOUT) as client:
            response = await client.get(URL + path, headers=headers)
            response.raise_for_status()
            return response.json()


def _recording(item: dict[str, Any]) -> dict[str, Any]:
    _need(item, id=str, room_name=str, start_ts=int, status=str, duration=int)
    if item["status"] not in ("in-progress", "finished"):
        raise ValueError(f"daily: a recording's status is `{item['status']}`")
    return {"tracks": [], **item}


def _need(item: dict[str, Any], **kinds: type) -> None:
    for name, kind in kinds.items():
        if not isinstance(item.get(name), kind):
            raise ValueError(f"daily: `{name}` is missing or of another kind")


def signature(timestamp: str, body: bytes) -> str:
    """What Daily signs a webhook with."""
    key = base64.b64decode(settings().daily_webhook_secret)
    message = timestamp.encode() + b"." + body
    return base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()


def is_signed(given: str, timestamp: str, body: bytes) -> bool:
    """Whether a webhook comes from Daily; never without a secret."""
    if not (given and timestamp and settings().daily_webhook_secret):
        return False
    return hmac.compare_digest(signature(timestamp, body), given)
