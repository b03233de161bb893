"""Programs that are started and stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PATIENCE_SECONDS = 60.0


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(
    what: str, is_so: Callable[[], bool], seconds: float = PATIENCE_SECONDS
) -> None:
    """Looks again and again."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"waiting for {what} took longer than {seconds:.0f} s")
        time.sleep(0.05)


def listens(port: int) -> bool:
    """Whether something takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A program with a log, in a process group of its own."""

    def __init__(
        self,
        name: str,
        command: list[str],
        log: Path,
        *,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                command,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
            )

    def wait_until_it_listens(self, port: int) -> None:
        """Or says why it ended."""

        def is_so() -> bool:
            if self._process.poll() is not None:
                raise RuntimeError(
                    f"{self.name} ended:\n{self.log.read_text()[-2000:]}"
                )
            return listens(port)

        wait_for(f"{self.name} to listen", is_so)

    def stop(self) -> None:
        """Asks, then kills the group."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Kills the group."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
