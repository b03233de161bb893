"""What is left out of a comparison must be no more than was asked for."""

from __future__ import annotations

import json
import shutil
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

from compare_golden import LeftOut, compare
from harness.cases import CASES

BASE = CASES["base"].folder
SHADOW = {"bucket": "reflector-transcripts", "key": "shadow/1/a", "size": 1}


class CompareCaptures(unittest.TestCase):
    """A copy of a capture, changed in one place."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.copy = Path(folder.name) / "base"
        shutil.copytree(BASE, self.copy, copy_function=shutil.copyfile)

    def add_object(self, item: dict[str, object]) -> None:
        """There is one more afterwards."""
        data = json.loads((self.copy / "s3.json").read_text())
        data["after"].append(item)
        data["added"].append([item["bucket"], item["key"]])
        (self.copy / "s3.json").write_text(json.dumps(data))
        with (self.copy / "s3_requests.txt").open("a") as log:
            log.write(f"PUT /{item['bucket']}/{item['key']} 200\n")

    def test_a_file_that_only_the_run_wrote_is_seen(self) -> None:
        (self.copy / "celery/moved.json").write_text("[]")
        report = compare(self.copy, BASE, both_ways=True)
        self.assertEqual(len(report.differences), 1)
        self.assertTrue(report.differences[0].startswith("celery/moved.json"))
        self.assertTrue(compare(self.copy, BASE).is_equal)

    def test_a_file_that_is_left_out_is_named_and_no_other_is_left_out(self) -> None:
        (self.copy / "celery/moved.json").write_text("[]")
        left_out = LeftOut(files=(r"celery/moved\.json",))
        report = compare(self.copy, BASE, left_out, both_ways=True)
        self.assertEqual(report.differences, [])
        self.assertIn("celery/moved.json: left out", report.masked)
        self.assertIn("celery/task_results.json", report.compared)

    def test_objects_below_a_prefix_are_left_out_and_counted(self) -> None:
        self.add_object(SHADOW)
        self.assertFalse(compare(self.copy, BASE, both_ways=True).is_equal)
        report = compare(self.copy, BASE, LeftOut(keys=("shadow/",)), both_ways=True)
        self.assertEqual(report.differences, [])
        self.assertEqual(report.masked["s3.json: objects below shadow/"], 2)
        self.assertEqual(report.masked["s3_requests.txt: objects below shadow/"], 1)

    def test_an_object_outside_the_prefix_is_seen(self) -> None:
        self.add_object({**SHADOW, "key": "not/shadow/a"})
        report = compare(self.copy, BASE, LeftOut(keys=("shadow/",)), both_ways=True)
        files = {line.split(":")[0] for line in report.differences}
        self.assertEqual(files, {"s3.json", "s3_requests.txt"})


if __name__ == "__main__":
    unittest.main()
