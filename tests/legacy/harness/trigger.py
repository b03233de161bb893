"""Setting a case off, and knowing when it is over."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import json
import os
import subprocess
import sys
from collections.abc import Collection
from typing import Any

import httpx

from .processes import wait_for
from .tap import Tap
from .world import DAILY_SECRET, LEGACY, World

FINAL = ("SUCCESS", "FAILURE")
PATIENCE_SECONDS = 600.0


def daily_webhook(world: World, recording_id: str | None = None) -> dict[str, Any]:
    """Posts Daily's webhook of the case, signed; gives request and response as recorded ones.

    With another `recording_id`, the same meeting was recorded once more, as Daily's stand-in then
    knows.
    """
    request = copy.deepcopy(world.case.webhook)
    if recording_id is not None:
        request["body"]["payload"]["recording_id"] = recording_id
        world.control("variants", {"service": "daily", "variant": "any_recording"})
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
    _run(world, f"tasks.queue_post_chain({transcript_id!r})")


def call(world: World, name: str, arguments: dict[str, Any]) -> None:
    """Publishes a task with these arguments by name, from a program outside the worker."""
    _run(world, f"tasks.app.tasks[{name!r}].delay(**{arguments!r})")


def _run(world: World, code: str) -> None:
    command = [sys.executable, "-c", f"from miniature import tasks; {code}"]
    env = {**os.environ, **world.env}
    subprocess.run(command, env=env, cwd=LEGACY, check=True)


def wait_until_done(world: World, without: Collection[str] = ()) -> None:
    """Until every task that was pushed has its final result; a task pushes others before that.

    Not waited for are tasks whose names are in `without`.
    """
    world.tap.catch_up()
    wait_for("the tasks to end", lambda: _is_done(world.tap, without), PATIENCE_SECONDS)


def _is_done(tap: Tap, without: Collection[str]) -> bool:
    # First what has ended: a task that ends in between has pushed before that, and is seen to have.
    ended = {
        json.loads(command.words[3])["task_id"]
        for command in tap.named("SETEX")
        if json.loads(command.words[3])["status"] in FINAL
    }
    messages = [command.task_message for command in tap.named("LPUSH", "RPUSH")]
    pushed = {
        message["headers"]["id"]
        for message in messages
        if message and message["headers"]["task"] not in without
    }
    return bool(pushed) and pushed <= ended
