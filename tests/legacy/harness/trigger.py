"""Setting a case off, and knowing when it is over."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
from typing import Any

import httpx

from .processes import wait_for
from .tap import Tap
from .world import DAILY_SECRET, LEGACY, World

FINAL = ("SUCCESS", "FAILURE")
PATIENCE_SECONDS = 600.0


def daily_webhook(world: World) -> dict[str, Any]:
    """Posts Daily's webhook of the case, signed; gives request and response as recorded ones."""
    request = world.case.webhook
    body = json.dumps(request["body"]).encode()
    timestamp = request["headers"]["X-Webhook-Timestamp"]
    key = base64.b64decode(DAILY_SECRET)
    digest = hmac.new(key, f"{timestamp}.".encode() + body, hashlib.sha256).digest()
    headers = {**request["headers"]}
    headers["X-Webhook-Signature"] = base64.b64encode(digest).decode()
    response = httpx.post(
        world.api_url + request["path"], content=body, headers=headers, timeout=30
    )
    return {
        "request": {**request, "headers": headers},
        "response": {"status": response.status_code, "body": response.text},
    }


def post_chain(world: World) -> None:
    """Queues the tasks after the pipeline, from a program outside the worker."""
    transcript_id = world.case.rows["transcript"][0]["id"]
    code = f"from miniature import tasks; tasks.queue_post_chain({transcript_id!r})"
    env = {**os.environ, **world.env}
    subprocess.run([sys.executable, "-c", code], env=env, cwd=LEGACY, check=True)


def wait_until_done(world: World) -> None:
    """Until every task that was pushed has its final result; a task pushes others before that."""
    wait_for("the tasks to end", lambda: _is_done(world.tap), PATIENCE_SECONDS)


def _is_done(tap: Tap) -> bool:
    pushed = {
        json.loads(command.words[2])["headers"]["id"]
        for command in tap.named("LPUSH")
        if "task" in json.loads(command.words[2]).get("headers", {})
    }
    ended = {
        json.loads(command.words[3])["task_id"]
        for command in tap.named("SETEX")
        if json.loads(command.words[3])["status"] in FINAL
    }
    return bool(pushed) and pushed <= ended
