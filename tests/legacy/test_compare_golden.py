"""The comparison must see what it is there to see: `python -m unittest`."""

from __future__ import annotations

import json
import re
import shutil
import unittest
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from compare_golden import compare
from harness.cases import CASES

BASE = CASES["base"].folder


class CompareGolden(unittest.TestCase):
    """A copy of what was recorded, changed in one place."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.copy = Path(folder.name) / "base"
        shutil.copytree(BASE, self.copy, copy_function=shutil.copyfile)
        for path in [self.copy, self.copy / "celery"]:
            path.chmod(0o755)

    def change(self, name: str, change: Callable[[str], str]) -> None:
        """Rewrites a file; the change must change something."""
        path = self.copy / name
        before = path.read_text()
        after = change(before)
        self.assertNotEqual(before, after)
        path.write_text(after)

    def assert_seen(self, name: str) -> None:
        """Something in this file differs."""
        differences = compare(self.copy, BASE).differences
        self.assertTrue(any(line.startswith(name) for line in differences), differences)

    def test_every_recorded_case_equals_itself(self) -> None:
        for case in CASES.values():
            with self.subTest(case.name):
                self.assertEqual(compare(case.folder, case.folder).differences, [])

    def test_a_new_id_is_equal_where_it_is_used_consistently(self) -> None:
        row = json.loads((BASE / "db_after.json").read_text())["transcript"][0]
        old, new = row["id"], "00000000-0000-4000-8000-000000000000"
        for path in self.copy.rglob("*.*"):
            if path.suffix in (".json", ".jsonl", ".md") and "celery" not in str(path):
                path.write_text(path.read_text().replace(old, new))
        differences = compare(self.copy, BASE).differences
        files = {line.split(":")[0] for line in differences}
        self.assertNotIn("db_after.json", files)
        self.assertNotIn("webhook_1.body.json", files)
        self.assertTrue(any(name.startswith("celery/") for name in files), files)

    def test_another_word_in_the_topics_is_seen(self) -> None:
        self.change("db_after.json", lambda text: text.replace("billing", "Billing", 1))
        self.assert_seen("db_after.json")

    def test_two_messages_in_another_order_are_seen(self) -> None:
        def swap(text: str) -> str:
            lines = text.splitlines(keepends=True)
            lines[1], lines[2] = lines[2], lines[1]
            return "".join(lines)

        self.change("pubsub.jsonl", swap)
        self.assert_seen("pubsub.jsonl")

    def test_other_spaces_in_a_published_message_are_seen(self) -> None:
        self.change(
            "pubsub.jsonl",
            lambda text: text.replace(
                r"\"event\": \"STATUS\"", r"\"event\":\"STATUS\"", 1
            ),
        )
        self.assert_seen("pubsub.jsonl")

    def test_another_order_in_a_chain_is_seen(self) -> None:
        name = "celery/03_task_cleanup_consent.json"
        message = json.loads((self.copy / name).read_text())
        message["body_decoded"][2]["chain"].reverse()
        (self.copy / name).write_text(json.dumps(message))
        self.assert_seen(name)

    def test_another_header_of_a_request_is_seen(self) -> None:
        self.change(
            "requests.json", lambda text: text.replace("Reflector-Webhook/1.0", "other")
        )
        self.assert_seen("requests.json")

    def test_members_of_the_webhook_in_another_order_are_seen(self) -> None:
        self.change(
            "webhook_1.body.json",
            lambda text: re.sub(
                r'("duration":0.0),("webvtt":"[^"]*")', r"\2,\1", text, count=1
            ),
        )
        self.assert_seen("webhook_1.body.json")

    def test_other_audio_is_seen(self) -> None:
        (self.copy / "audio.mp3").write_bytes(b"other")
        self.assert_seen("audio.mp3")

    def test_an_object_that_was_not_deleted_is_seen(self) -> None:
        self.change("s3_requests.txt", lambda text: text.replace("DELETE ", "HEAD ", 1))
        self.assert_seen("s3_requests.txt")

    def test_a_second_webhook_is_seen(self) -> None:
        body = (self.copy / "webhook_1.body.json").read_text()
        (self.copy / "webhook_2.body.json").write_text(body)
        self.assert_seen("webhook_2.body.json")

    def test_a_file_that_was_not_written_is_seen(self) -> None:
        (self.copy / "waveform.json").unlink()
        self.assert_seen("waveform.json")


if __name__ == "__main__":
    unittest.main()
