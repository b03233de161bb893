"""Everything that Redis is told, in order."""

from __future__ import annotations

import ast
import json
import re
import socket
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any

import redis

from .processes import wait_for

_LINE = re.compile(rb"\+[\d.]+ \[(\d+) [^\]]*\] (.*)", re.DOTALL)
_WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)


@dataclass(frozen=True)
class Command:
    """One command; `at` is of the monotonic clock."""

    at: float
    database: int
    words: list[str]

    @property
    def name(self) -> str:
        """In capitals."""
        return self.words[0].upper()


    @property
    def task_message(self) -> dict[str, Any] | None:
        """The task that is put onto a list, if that is what the command does."""
        if self.name not in ("LPUSH", "RPUSH") or not self.words[2].startswith("{"):
            return None
        message = json.loads(self.words[2])
        return message if "task" in message.get("headers", {}) else None


class Tap:
    """Watches a Redis server through MONITOR."""

    def __init__(self, port: int) -> None:
        self.commands: list[Command] = []
        self._port = port
        self._mark = 0
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.sendall(b"MONITOR\r\n")
        self._lines = self._socket.makefile("rb")
        if self._lines.readline() != b"+OK\r\n":
            raise RuntimeError("redis does not let itself be monitored")
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def named(self, *names: str) -> list[Command]:
        """The commands so called since the mark."""
        since = self.commands[self._mark :]
        return [command for command in since if command.name in names]

    def mark(self) -> None:
        """From here on, commands are the case's own."""
        self.catch_up()
        self._mark = len(self.commands)

    def catch_up(self) -> None:
        """Waits until everything that Redis was told before is here."""
        token = uuid.uuid4().hex
        with redis.Redis(port=self._port) as client:
            client.echo(token)
        wait_for("the tap to catch up", lambda: self._has_seen(token))

    def _has_seen(self, token: str) -> bool:
        return any(command.words[-1] == token for command in self.commands[self._mark :])

    def stop(self) -> None:
        """Closes the connection."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _read(self) -> None:
        for line in self._lines:
            found = _LINE.match(line.rstrip(b"\r\n"))
            if found:
                # Redis escapes as Python does.
                words = [
                    ast.literal_eval(f'b"{word.decode("latin-1")}"').decode(
                        errors="replace"
                    )
                    for word in _WORD.findall(found[2])
                ]
                self.commands.append(Command(time.monotonic(), int(found[1]), words))
