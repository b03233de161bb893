"""Peaks of the mixed audio for the player."""

from __future__ import annotations

from pathlib import Path

import av
import numpy

VALUES = 255


def peaks(path: Path) -> list[float]:
    """At most 255 peaks between 0 and 1, of chunks of equal length.

    Chunks are counted in decoded values, channel after channel within a frame; the last,
    incomplete one is dropped, which usually leaves 254.
    """
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        seconds = (container.duration or 0) / av.time_base
        chunk = max(1, int(seconds / VALUES * stream.rate * stream.channels))
        found: list[float] = []
        rest = numpy.empty(0)
        for frame in container.decode(stream):
            values = numpy.abs(frame.to_ndarray().flatten())
            rest = numpy.concatenate([rest, values])
            while len(rest) >= chunk:
                found.append(float(rest[:chunk].max()))
                rest = rest[chunk:]
    highest = max(found, default=0.0)
    if highest == 0:
        return [0.0 for _ in found]
    return [round(value / highest, 2) for value in found]
