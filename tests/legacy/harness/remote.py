"""Driving a world from another program, over HTTP on loopback; bodies and answers are JSON.

Requests that wait are answered once what they wait for is so. What fails is answered with 500
and says why.
"""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from . import dump, trigger
from .capture import Capture
from .processes import Process
from .world import World

Json = Any


class Remote:
    """One world's, with the capture that is going on."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._capture = Capture(world)
        self._workers: list[Process] = []
        remote = self

        class Handler(_Handler):
            answers = remote.answers()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answers(self) -> dict[str, Callable[[Json], Json]]:
        """By path, each what a request's body leads to."""
        return {
            "/capture": self.capture,
            "/dump": self.dump,
            "/daily_webhook": self.daily_webhook,
            "/call": self.call,
            "/worker": self.worker,
            "/stop_worker": self.stop_worker,
            "/kill_worker": self.kill_worker,
            "/beat": self.beat,
            "/until_idle": self.until_idle,
            "/rows": lambda _: dump.rows(self.world),
            "/objects": lambda _: dump.objects(self.world),
            "/published": self.published,
            "/requests": self.requests,
            "/queue": lambda body: self.world.queue(body["name"]),
        }

    def capture(self, _: Json) -> None:
        """Begins a new capture; the stand-ins forget what they were asked."""
        self.world.tap.catch_up()
        self._capture = Capture(self.world)

    def dump(self, body: Json) -> None:
        """`folder`: where the capture is written to, in the form of what was recorded."""
        self._capture.write(Path(body["folder"]))

    def daily_webhook(self, body: Json) -> Json:
        """`recording_id`: another one than the case's, of the same meeting."""
        return self._capture.daily_webhook(body.get("recording_id"))["response"]

    def call(self, body: Json) -> None:
        """Publishes the task `name` with `kwargs`, as the application does."""
        trigger.call(self.world, body["name"], body.get("kwargs") or {})

    def worker(self, body: Json) -> int:
        """Starts a worker with Celery's `arguments` and more `env`; gives its number."""
        self._capture.before_a_worker()
        arguments, env = body.get("arguments") or [], body.get("env") or {}
        self._workers.append(self.world.worker(*arguments, env=env))
        return len(self._workers) - 1

    def stop_worker(self, body: Json) -> None:
        """Lets it end what it is at, and waits for that."""
        self._workers[body["worker"]].stop()

    def kill_worker(self, body: Json) -> None:
        """Without a chance to clear up, its processes with it."""
        self._workers[body["worker"]].kill()

    def beat(self, _: Json) -> None:
        """Starts what sets the poller off."""
        self.world.beat()

    def until_idle(self, body: Json) -> None:
        """Until every task has ended, but those so named in `without`."""
        trigger.wait_until_done(self.world, body.get("without") or ())

    def published(self, _: Json) -> Json:
        """What the application and others have published, in order, heartbeats left out."""
        self.world.tap.catch_up()
        return [
            {"channel": channel, "data": data}
            for _, channel, data in dump.published(self.world.tap)
        ]

    def requests(self, _: Json) -> Json:
        """What the stand-ins were asked."""
        return self.world.requests()


class _Handler(BaseHTTPRequestHandler):
    """One request: a path of `answers`, and an object as its body, or nothing."""

    protocol_version = "HTTP/1.1"
    answers: dict[str, Callable[[Json], Json]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self.answers.get(self.path)
        if answer is None:
            self._say(404, f"there is no {self.path}; there are {', '.join(self.answers)}")
            return
        try:
            self._say(200, answer(json.loads(body or b"{}")))
        except Exception:
            self._say(500, traceback.format_exc())

    def _say(self, status: int, answer: Json) -> None:
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Standard error is for what goes wrong."""
