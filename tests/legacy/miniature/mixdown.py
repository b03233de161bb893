"""Mixing the padded tracks into one MP3."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

log = logging.getLogger(__name__)

RECONNECT = {
    "reconnect": "1",
    "reconnect_streamed": "1",
    "reconnect_delay_max": "5",
}


def mix(urls: list[str], target: Path) -> float:
    """Sums the tracks by sample position and gives the duration in milliseconds.

    The sum is not normalised and clips. A track that cannot be opened leaves its input open,
    so that nothing comes out.
    """
    rate = _rate(urls)
    graph = av.filter.Graph()
    inputs = [
        graph.add(
            "abuffer",
            f"time_base=1/{rate}:sample_rate={rate}:sample_fmt=s32:channel_layout=stereo",
        )
        for _ in urls
    ]
    mixer = graph.add("amix", f"inputs={len(urls)}:normalize=0")
    form = graph.add(
        "aformat", f"sample_fmts=s32:channel_layouts=stereo:sample_rates={rate}"
    )
    sink = graph.add("abuffersink")
    for place, source in enumerate(inputs):
        source.link_to(mixer, 0, place)
    graph.link_nodes(mixer, form, sink).configure()

    seconds = 0.0
    with ExitStack() as stack:
        active = {
            place: frames
            for place, url in enumerate(urls)
            if (frames := _frames(url, stack)) is not None
        }
        out = stack.enter_context(av.open(str(target), "w", format="mp3"))
        mp3 = out.add_stream("libmp3lame", rate=rate)
        resamplers = [
            AudioResampler(format="s32", layout="stereo", rate=rate) for _ in urls
        ]

        def encode(frame: AudioFrame | None) -> float:
            packets = mp3.encode(frame)
            out.mux(packets)
            return sum(
                float(packet.duration * packet.time_base)
                for packet in packets
                if packet.duration
            )

        while active:
            for place in list(active):
                frame = next(active[place], None)
                if frame is None:
                    inputs[place].push(None)
                    del active[place]
                elif frame.sample_rate == rate:
                    for resampled in resamplers[place].resample(frame):
                        resampled.pts = None
                        inputs[place].push(resampled)
            while (mixed := _pull(sink)) is not None:
                mixed.pts = None
                seconds += encode(mixed)
        seconds += encode(None)
    return round(seconds * 1000, 2)


def _rate(urls: list[str]) -> int:
    """The sample rate of the first frame that can be decoded."""
    for url in urls:
        try:
            with av.open(url) as container:
                for frame in container.decode(audio=0):
                    return frame.sample_rate
        except av.FFmpegError:
            continue
    raise ValueError("mixing: no track can be decoded")


def _frames(url: str, stack: ExitStack) -> Iterator[AudioFrame] | None:
    """The decoded frames of a track, or nothing if it cannot be opened."""
    try:
        container = stack.enter_context(av.open(url, options=RECONNECT))
    except av.FFmpegError as error:
        log.warning("mixing: opening a track: %s", type(error).__name__)
        return None
    return container.decode(audio=0)


def _pull(sink: av.filter.context.FilterContext) -> AudioFrame | None:
    """The next mixed frame, if one is ready."""
    try:
        return sink.pull()
    except (av.BlockingIOError, av.EOFError):
        return None
