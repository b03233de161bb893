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
from golden.left_out import LeftOut
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
    """File, place or part of its texts, and why: how often it was met on the two sides."""
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


def compare(
    actual: Path,
    expected: Path,
    left_out: LeftOut = LeftOut(),
    *,
    both_ways: bool = False,
) -> Report:
    """Every file of `expected`, and no message to anybody that is not in it.

    `both_ways`: also every other file of `actual`.
    """
    report = Report()
    labels = [Labels.of(side) for side in (actual, expected)]
    names = {str(path.relative_to(expected)) for path in _files(expected)}
    patterns = ("celery/[0-9]*", "webhook_*", "zulip_*", "llm_calls.json")
    if both_ways:
        names |= {str(path.relative_to(actual)) for path in _files(actual)}
    for pattern in patterns:
        names |= {str(path.relative_to(actual)) for path in actual.glob(pattern)}
    for name in sorted(names - set(NOT_OUTPUTS)):
        if left_out.has_file(name):
            report.masked[f"{name}: left out"] += 1
            continue
        sides = [actual / name, expected / name]
        missing = [str(side) for side in sides if not side.exists()]
        if missing:
            report.differences.append(f"{name}: {', '.join(missing)} does not exist")
            continue
        report.compared.append(name)
        _file(name, expected.name, sides, labels, left_out, report)
    return report


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _file(
    name: str,
    case: str,
    sides: list[Path],
    labels: list[Labels],
    left_out: LeftOut,
    report: Report,
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
    met = Counter[str]()
    values = [
        left_out.without_objects(name, read(name, path, side), report.masked)
        for path, side in zip(sides, labels)
    ]
    values = [masked(value, masks, met) for value in values]
    report.masked.update({f"{name}: {what}": times for what, times in met.items()})
    if name.startswith("db_"):
        for row, recorded in zip(*(value["transcript"] for value in values)):
            if "search_vector_en" not in recorded:
                row.pop("search_vector_en", None)
    report.differences += [f"{name}: {line}" for line in differences("", *values)]


def main() -> int:
    """0 if the two are equal but for what is masked."""
    report = compare(Path(sys.argv[1]), Path(sys.argv[2]))
    print(report)
    for what, times in sorted(report.masked.items()):
        print(f"  masked {times:5} times: {what}")
    for name, why in NOT_OUTPUTS.items():
        print(f"  not compared: {name}: {why}")
    return 0 if report.is_equal else 1


if __name__ == "__main__":
    sys.exit(main())
