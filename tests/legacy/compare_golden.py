"""Compares a dump with a folder of what was recorded: `compare_golden.py DUMP EXPECTED`.

Ids and times that are new in every run are not left out where they can be followed:
each is replaced, on both sides, by a label for the thing it belongs to, so that it must
turn up in the same places. What is left out stands in `golden/masks.py`, and is printed
with how often it was met.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from golden.differences import differences
from golden.labels import Labels
from golden.masks import MASKS, masked
from golden.readers import read

NOT_OUTPUTS = {
    "timings.json": "times of the recorded machine",
    "timings_calm_machine.json": "times of another recorded machine",
    "mix.json": "measurements of audio.mp3, which is compared itself",
    "mix_check.json": "measurements of the mix, whose digest is in s3.json",
    "padded_tracks.json": "measurements; the tracks' sizes are in requests.json",
}
"""Recorded files that no run writes."""


@dataclass
class Report:
    """What differs, and what was not looked at."""

    differences: list[str] = field(default_factory=list)
    masked: Counter[str] = field(default_factory=Counter)
    compared: list[str] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        """But for what is masked."""
        return not self.differences

    def __str__(self) -> str:
        verdict = "equal" if self.is_equal else f"{len(self.differences)} differences"
        lines = [f"{verdict}; {len(self.compared)} files compared"]
        lines += [f"  {line}" for line in self.differences]
        return "\n".join(lines)


def compare(actual: Path, expected: Path) -> Report:
    """Every file of `expected`, and no message to anybody that is not in it."""
    report = Report()
    labels = [Labels.of(side) for side in (actual, expected)]
    names = {str(path.relative_to(expected)) for path in _files(expected)}
    for pattern in ("celery/[0-9]*", "webhook_*", "zulip_*", "llm_calls.json"):
        names |= {str(path.relative_to(actual)) for path in actual.glob(pattern)}
    for name in sorted(names - set(NOT_OUTPUTS)):
        sides = [actual / name, expected / name]
        missing = [str(side) for side in sides if not side.exists()]
        if missing:
            report.differences.append(f"{name}: {', '.join(missing)} does not exist")
            continue
        report.compared.append(name)
        _file(name, expected.name, sides, labels, report)
    return report


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _file(
    name: str, case: str, sides: list[Path], labels: list[Labels], report: Report
) -> None:
    if name.endswith(".mp3"):
        if sides[0].read_bytes() != sides[1].read_bytes():
            report.differences.append(f"{name}: other bytes")
        return
    masks = [
        mask
        for mask in MASKS
        if re.fullmatch(mask.files, name) and re.fullmatch(mask.cases, case)
    ]
    values = [
        masked(read(name, path, side), masks, report.masked)
        for path, side in zip(sides, labels)
    ]
    if name.startswith("db_"):
        for row, recorded in zip(*(value["transcript"] for value in values)):
            if "search_vector_en" not in recorded:
                row.pop("search_vector_en", None)
    report.differences += [f"{name}: {line}" for line in differences("", *values)]


def main() -> int:
    """0 if the two are equal but for what is masked."""
    report = compare(Path(sys.argv[1]), Path(sys.argv[2]))
    print(report)
    for why, times in sorted(report.masked.items()):
        print(f"  masked {times:5} times: {why}")
    for name, why in NOT_OUTPUTS.items():
        print(f"  not compared: {name}: {why}")
    return 0 if report.is_equal else 1


if __name__ == "__main__":
    sys.exit(main())
