"""Decodes raw and padded tracks with FFmpeg, as the legacy does, and says how they differ.

Reads a list of cases from standard input, writes a list of answers; needs PyAV and numpy. A case:
raw, padded (paths), start (samples of silence the padded track begins with), pre_skip (of the raw
one), same (samples from `start` on that must be equal, up to the first hole).
"""

import json
import sys

import av
import numpy


def samples(frames, channels):
    """Frames one after the other, as rows of channels, in steps of 16 bits."""
    parts = []
    for frame in frames:
        values = frame.to_ndarray()
        if values.dtype.kind == "f":
            values = values * 32768.0
        parts.append(values.T if frame.format.is_planar else values.reshape(-1, channels))
    return numpy.concatenate(parts)


def decode(path, decoder):
    """All of a track by FFmpeg's own decoder or by the libopus built into it."""
    with av.open(path) as container:
        stream = container.streams.audio[0]
        channels = stream.codec_context.channels
        if decoder == "native":
            return samples(container.decode(stream), channels)
        av.logging.set_level(av.logging.ERROR)
        context = av.CodecContext.create("libopus", "r")
        context.extradata = stream.codec_context.extradata
        context.layout = stream.codec_context.layout.name
        packets = (packet if packet.size else None for packet in container.demux(stream))
        return samples((frame for packet in packets for frame in context.decode(packet)), channels)


def compare(case, decoder):
    raw, padded = decode(case["raw"], decoder), decode(case["padded"], decoder)
    start, same = int(case["start"]), min(round(case["same"]), len(raw))
    # A decoder fades from one mode to the next for 5 ms, which the pre-skip usually hides.
    skip = max(0, 240 - case["pre_skip"])
    # FFmpeg's own decoder rounds otherwise for some samples, by a fraction of a thousandth of a step.
    off = numpy.abs(padded[start + skip : start + same] - raw[skip:same].astype("float64"))
    differing = off > 0.001
    # Just before it lie the samples that the raw track's pre-skip drops.
    lead = numpy.abs(padded[: max(0, start - case["pre_skip"])])
    return {
        "samples": len(padded),
        "compared": same - skip,
        "differing": int(differing.sum()),
        "lead_peak": float(lead.max()) if len(lead) else 0.0,
        # All but the last 20 ms, which are a decoder's own silence before CELT.
        "quiet_peak": float(lead[:-960].max()) if len(lead) > 960 else 0.0,
    }


def container_facts(path):
    """What opening and reading the file tells, complaints included."""
    av.logging.set_level(av.logging.WARNING)
    with av.logging.Capture() as complaints:
        with av.open(path) as container:
            stream = container.streams.audio[0]
            start = float(stream.start_time * stream.time_base)
            duration = container.duration / 1e6
            times = [packet.pts for packet in container.demux(stream) if packet.size]
            # To the middle and back: a player finds its way.
            container.seek(int(container.duration / 2))
            middle = next(container.decode(stream)).time
    return {
        "start_s": start,
        "duration_s": duration,
        "steps_back": sum(later < earlier for earlier, later in zip(times, times[1:])),
        "sought_s": middle,
        "complaints": [message.strip() for _, _, message in complaints],
    }


def main():
    av.logging.set_level(av.logging.ERROR)
    answers = []
    for case in json.load(sys.stdin):
        answer = {decoder: compare(case, decoder) for decoder in ("native", "libopus")}
        answer["container"] = container_facts(case["padded"])
        answers.append(answer)
    json.dump(answers, sys.stdout)


main()
