"""What the legacy pipeline does with sound, one step a call, for `scripts/bench audio`.

The steps are those of tests/legacy/miniature, whose output is the legacy's byte for byte.

    legacy.py pad TRACK PADDED      writes nothing where the track begins at 0
    legacy.py mix TARGET TRACK...
    legacy.py waveform MP3 TARGET
    legacy.py version
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "legacy"))


def main(step: str, *arguments: str) -> None:
    if step == "pad":
        from miniature import padding

        track, padded = arguments
        padding.pad(track, Path(padded))
    elif step == "mix":
        from miniature import mixdown

        target, *tracks = arguments
        mixdown.mix(tracks, Path(target))
    elif step == "waveform":
        from miniature import waveform

        mp3, target = arguments
        Path(target).write_text(json.dumps(waveform.peaks(Path(mp3))))
    elif step == "version":
        import av

        print(av.__version__, av.ffmpeg_version_info)
    else:
        raise SystemExit(f"`{step}` is no step; see the head of this file")


if __name__ == "__main__":
    main(*sys.argv[1:])
