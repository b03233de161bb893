"""What happens from one moment on, written down when it is asked for."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from . import dump, trigger
from .world import World


class Capture:
    """Begins when it is made; a world has one at a time."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._before: dict[str, Any] = {
            "rows": dump.rows(world),
            "objects": dump.objects(world),
        }
        self._webhook: dict[str, Any] | None = None
        world.mark()
        self.began = time.monotonic()

    def daily_webhook(self, recording_id: str | None = None) -> dict[str, Any]:
        """Posts Daily's webhook; the first is written down."""
        webhook = trigger.daily_webhook(self.world, recording_id)
        self._webhook = self._webhook or webhook
        return webhook

    def before_a_worker(self) -> None:
        """To be told before the first worker starts: what waits for it is written down."""
        if "queue" not in self._before:
            self._before["queue"] = self.world.queue("celery")

    def write(self, target: Path) -> None:
        """Writes everything so far into a folder."""
        self.world.tap.catch_up()
        if self._webhook is not None:
            dump.write(target, "daily_webhook_in.json", self._webhook)
        before = {"queue": [], **self._before}
        dump.Dump(self.world, target, self.began).all(before)
