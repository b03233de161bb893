"""Everything that Redis is told, in order."""

from __future__ import annotations

import ast
import re
import socket
import threading
import time
from dataclasses import dataclass

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


class Tap:
    """Watches a Redis server through MONITOR."""

    def __init__(self, port: int) -> None:
        self.commands: list[Command] = []
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.sendall(b"MONITOR\r\n")
        self._lines = self._socket.makefile("rb")
        if self._lines.readline() != b"+OK\r\n":
            raise RuntimeError("redis does not let itself be monitored")
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def named(self, *names: str) -> list[Command]:
        """The commands so called."""
        return [command for command in self.commands if command.name in names]

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
