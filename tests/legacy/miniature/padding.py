"""Padding one track so that its sample 0 is the recording's beginning."""

from __future__ import annotations

import math
from pathlib import Path

import av
from av.audio.resampler import AudioResampler
from av.container import InputContainer

SAMPLE_RATE = 48_000
BIT_RATE = 128_000
MICROSECONDS = 1_000_000


def start_time(container: InputContainer) -> float:
    """Seconds from the recording's beginning to the track's first audio; 0 if unknown."""
    try:
        stream = next(iter(container.streams.audio), None) or container.streams[0]
        start = 0.0
        if stream.start_time is not None and stream.time_base is not None:
            start = float(stream.start_time * stream.time_base)
        if start <= 0 and container.start_time is not None:
            # The legacy multiplies here; its operand is never positive at this point.
            start = float(container.start_time * MICROSECONDS)
        if start <= 0:
            for packet in container.demux(stream):
                if packet.dts is not None:
                    return float(packet.dts * stream.time_base)
        return start
    except Exception:
        return 0.0


def pad(url: str, target: Path) -> bool:
    """Writes the padded track as WebM/Opus; False, and no file, if it starts at 0."""
    with av.open(url) as source:
        start = start_time(source)
        if start <= 0:
            return False
        _encode(source, math.floor(start * 1000), target)
        return True


def _encode(source: InputContainer, delay_ms: int, target: Path) -> None:
    """Fills gaps, delays by `delay_ms` and encodes."""
    graph = av.filter.Graph()
    links = [
        graph.add(
            "abuffer",
            f"time_base=1/{SAMPLE_RATE}:sample_rate={SAMPLE_RATE}"
            ":sample_fmt=s16:channel_layout=stereo",
        ),
        graph.add("aresample", "async=1"),
        graph.add("adelay", f"delays={delay_ms}|{delay_ms}:all=1"),
        graph.add("abuffersink"),
    ]
    graph.link_nodes(*links).configure()
    resampler = AudioResampler(format="s16", layout="stereo", rate=SAMPLE_RATE)
    with av.open(str(target), "w", format="webm") as sink:
        opus = sink.add_stream("libopus", rate=SAMPLE_RATE)
        opus.bit_rate = BIT_RATE

        def drain() -> None:
            while True:
                try:
                    frame = graph.pull()
                except (av.BlockingIOError, av.EOFError):
                    return
                sink.mux(opus.encode(frame))

        for frame in source.decode(audio=0):
            for resampled in resampler.resample(frame):
                graph.push(resampled)
            drain()
        for resampled in resampler.resample(None):
            graph.push(resampled)
        graph.push(None)
        drain()
        sink.mux(opus.encode(None))
