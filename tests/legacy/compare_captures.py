"""Compares two captures of the same case: `compare_captures.py ACTUAL EXPECTED`.

Unlike what was recorded, a capture has every file, so one that only one side has is a
difference. Prints JSON: differences, and what was not looked at.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from compare_golden import LeftOut, compare


def main() -> int:
    """0 if the two are equal but for what is masked or left out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("actual", type=Path)
    parser.add_argument("expected", type=Path)
    parser.add_argument(
        "--leave-out",
        action="append",
        default=[],
        metavar="PATTERN",
        help="files of this name, a regular expression for the whole of it",
    )
    parser.add_argument(
        "--leave-out-keys",
        action="append",
        default=[],
        metavar="PREFIX",
        help="objects, and requests to the store, whose key begins like this",
    )
    asked = parser.parse_args()
    left_out = LeftOut(tuple(asked.leave_out), tuple(asked.leave_out_keys))
    report = compare(asked.actual, asked.expected, left_out, both_ways=True)
    told = {
        "differences": report.differences,
        "masked": dict(sorted(report.masked.items())),
        "compared": report.compared,
    }
    print(json.dumps(told, indent=1))
    return 0 if report.is_equal else 1


if __name__ == "__main__":
    sys.exit(main())
