"""All servers of one run: Redis, PostgreSQL, object store, stand-ins, API, worker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
import psycopg
import redis

from .cases import ROOT, STANDUP, Case, content_of, write_answers
from .processes import Process, free_port
from .tap import Tap

LEGACY = ROOT / "tests/legacy"
OWN_BUCKET = "reflector-transcripts"
DAILY_BUCKET = "daily-recordings"
DAILY_SECRET = "c3dpdGNoeWFyZC1sZWdhY3ktZGFpbHktc2VjcmV0"
TRANSCRIBER = "transcriber.example.test:8000"
TABLES = (
    "room",
    "calendar_event",
    "meeting",
    "meeting_consent",
    "recording",
    "transcript",
)


class World:
    """Starts servers on ports of their own; `stop` ends what it started.

    `sandbox` and `store` are URLs of servers that run already; without them own ones start.
    """

    def __init__(
        self,
        folder: Path,
        case: Case,
        *,
        postgres: str,
        sandbox: str | None = None,
        store: str | None = None,
        workflow_columns: bool = True,
        extra_env: dict[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.case = case
        self._undo: list[Callable[[], None]] = []
        self._started: Counter[str] = Counter()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._start(postgres, sandbox, store, workflow_columns, extra_env or {})
        except BaseException:
            self.stop()
            raise

    def _start(
        self,
        postgres: str,
        sandbox: str | None,
        store: str | None,
        workflow_columns: bool,
        extra_env: dict[str, str],
    ) -> None:
        self.data = self.folder / "data"
        self.redis_port = self._redis()
        self.tap = Tap(self.redis_port)
        self._undo.append(self.tap.stop)
        self.database_url = self._database(postgres, workflow_columns)
        self._store_log: Path | None = None
        self._store_log_start = 0
        self.store_url = store or self._store()
        self.sandbox_url = (sandbox or self._sandbox()).rstrip("/")
        self.env = {**self._env(), **extra_env}
        self.s3 = boto3.client(
            "s3",
            endpoint_url=self.store_url,
            region_name="us-east-1",
            aws_access_key_id="FAKEACCESSKEYID",
            aws_secret_access_key="fake-secret-access-key",
        )
        self.seed()
        self.api_url = self._api()

    def stop(self) -> None:
        """In the reverse order."""
        while self._undo:
            self._undo.pop()()

    def _process(self, name: str, command: list[str], **more: Any) -> Process:
        self._started[name] += 1
        log = name if self._started[name] == 1 else f"{name}_{self._started[name]}"
        process = Process(name, command, self.folder / f"{log}.log", **more)
        # Nothing of it is meant to last.
        self._undo.append(process.kill)
        return process

    def _redis(self) -> int:
        port = free_port()
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no"]
        self._process("redis", command, cwd=self.folder).wait_until_it_listens(port)
        return port

    def _database(self, postgres: str, workflow_columns: bool) -> str:
        name = f"legacy_{os.getpid()}_{self.case.name}"
        with psycopg.connect(postgres, autocommit=True) as admin:
            admin.execute(f"drop database if exists {name}")
            admin.execute(f"create database {name}")

        def drop() -> None:
            with psycopg.connect(postgres, autocommit=True) as admin:
                admin.execute(f"drop database if exists {name} with (force)")

        self._undo.append(drop)
        url = urlsplit(postgres)._replace(path=f"/{name}").geturl()
        with psycopg.connect(url) as connection:
            connection.execute((LEGACY / "schema.sql").read_text())
            if workflow_columns:
                connection.execute((LEGACY / "workflow_columns.sql").read_text())
        return url

    def _store(self) -> str:
        port = free_port()
        command = [
            sys.executable,
            "-m",
            "moto.server",
            "-H",
            "127.0.0.1",
            "-p",
            str(port),
        ]
        process = self._process("store", command, env={"PYTHONUNBUFFERED": "1"})
        process.wait_until_it_listens(port)
        self._store_log = process.log
        return f"http://127.0.0.1:{port}"

    def _sandbox(self) -> str:
        answers = self.folder / "answers"
        write_answers(self.case, answers)
        binary = os.environ.get("SWITCHYARD_BIN", str(ROOT / "target/debug/switchyard"))
        port = free_port()
        address = f"127.0.0.1:{port}"
        command = [binary, "sandbox", "--listen", address, "--answers", str(answers)]
        self._process("sandbox", command, cwd=self.folder).wait_until_it_listens(port)
        return f"http://{address}"

    def _env(self) -> dict[str, str]:
        """The legacy's own variables, and where its outside hosts really are."""
        room = self.case.rows["room"][0]
        hosts = {
            "api.daily.co": "daily",
            TRANSCRIBER: "transcription",
            "llm.example.test": "llm",
            "zulip.example.test": "zulip",
            urlsplit(room["webhook_url"]).netloc: "webhook",
        }
        redis_url = f"redis://127.0.0.1:{self.redis_port}/1"
        return {
            "DATABASE_URL": urlsplit(self.database_url)
            ._replace(scheme="postgresql+asyncpg")
            .geturl(),
            "DATA_DIR": str(self.data),
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(self.redis_port),
            "CELERY_BROKER_URL": redis_url,
            "CELERY_RESULT_BACKEND": redis_url,
            "UI_BASE_URL": "https://reflector.example.test",
            "TRANSCRIPT_BACKEND": "modal",
            "TRANSCRIPT_URL": f"http://{TRANSCRIBER}",
            "TRANSCRIPT_MODAL_API_KEY": "fake-transcript-key",
            "TRANSCRIPT_STORAGE_BACKEND": "aws",
            "TRANSCRIPT_STORAGE_AWS_BUCKET_NAME": OWN_BUCKET,
            "TRANSCRIPT_STORAGE_AWS_REGION": "us-east-1",
            "TRANSCRIPT_STORAGE_AWS_ACCESS_KEY_ID": "FAKEACCESSKEYID",
            "TRANSCRIPT_STORAGE_AWS_SECRET_ACCESS_KEY": "fake-secret-access-key",
            "AWS_ENDPOINT_URL_S3": self.store_url,
            "DAILYCO_STORAGE_AWS_BUCKET_NAME": DAILY_BUCKET,
            "DAILYCO_STORAGE_AWS_REGION": "us-east-1",
            "DAILYCO_STORAGE_AWS_ROLE_ARN": "arn:aws:iam::000000000000:role/fake",
            "DAILY_API_KEY": "fake-daily-key",
            "DAILY_SUBDOMAIN": "example",
            "DAILY_WEBHOOK_SECRET": DAILY_SECRET,
            "LLM_MODEL": "golden-model",
            "LLM_URL": "https://llm.example.test/v1",
            "LLM_API_KEY": "fake-llm-key",
            "ZULIP_REALM": "zulip.example.test",
            "ZULIP_API_KEY": "fake-zulip-key",
            "ZULIP_BOT_EMAIL": "reflector-bot@zulip.example.test",
            "LEGACY_WEBHOOK_RETRY_SECONDS": "2",
            "LEGACY_OUTSIDE_HOSTS": json.dumps(
                {host: f"{self.sandbox_url}/{path}" for host, path in hosts.items()}
            ),
        }

    def seed(self) -> None:
        """Rows, objects, local files and the stand-ins' moods, as they were before."""
        with psycopg.connect(self.database_url) as connection:
            for table in TABLES:
                for row in self.case.rows.get(table, []):
                    self._insert(connection, table, row)
        for bucket in (OWN_BUCKET, DAILY_BUCKET):
            self.s3.create_bucket(Bucket=bucket)
        for item in self.case.objects:
            self._put(item)
        for transcript in self.case.rows["transcript"]:
            folder = self.data / transcript["id"]
            folder.mkdir(parents=True)
            for name in ("audio.mp3", "waveform.json"):
                target = "audio.json" if name == "waveform.json" else name
                shutil.copyfile(STANDUP / "expected/base" / name, folder / target)
        for service, variant in self.case.all_variants().items():
            self.control("variants", {"service": service, "variant": variant})
        for fault in self.case.faults:
            self.control("faults", fault)

    @staticmethod
    def _insert(
        connection: psycopg.Connection, table: str, row: dict[str, Any]
    ) -> None:
        # The generated column cannot be written.
        names = [name for name in row if name != "search_vector_en"]
        query = psycopg.sql.SQL(
            "insert into {table} ({names}) select {names}"
            " from json_populate_record(null::{table}, %s::json)"
        ).format(
            table=psycopg.sql.Identifier(table),
            names=psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, names)),
        )
        connection.execute(query, [json.dumps({name: row[name] for name in names})])

    def _put(self, item: dict[str, Any]) -> None:
        types = self.case.content_types.items()
        kind = next(
            (kind for ending, kind in types if item["key"].endswith(ending)),
            item["content_type"],
        )
        self.s3.put_object(
            Bucket=item["bucket"],
            Key=item["key"],
            Body=content_of(item),
            ContentType=kind,
        )

    def control(self, what: str, body: dict[str, Any]) -> None:
        """Tells the stand-ins something."""
        httpx.post(f"{self.sandbox_url}/_sandbox/{what}", json=body).raise_for_status()

    def mark(self) -> None:
        """From here on, requests and commands are the case's own."""
        httpx.delete(f"{self.sandbox_url}/_sandbox/requests").raise_for_status()
        self._store_log_start = (
            len(self._store_log.read_text()) if self._store_log else 0
        )
        self.tap.mark()

    def store_log(self) -> str | None:
        """What the store has logged since the mark; nothing if it is not our own."""
        if self._store_log is None:
            return None
        return self._store_log.read_text()[self._store_log_start :]

    def requests(self) -> list[dict[str, Any]]:
        """What the stand-ins were asked."""
        return httpx.get(f"{self.sandbox_url}/_sandbox/requests").json()

    def _api(self) -> str:
        port = free_port()
        command = [sys.executable, "-m", "miniature.api", str(port)]
        process = self._process("api", command, env=self.env, cwd=LEGACY)
        process.wait_until_it_listens(port)
        return f"http://127.0.0.1:{port}"

    def worker(self, *arguments: str, env: dict[str, str] | None = None) -> Process:
        """Starts a worker; `arguments` are Celery's own, as `-Q`, `legacy`."""
        name = f"worker{self._started['worker'] + 1}@%h"
        command = [sys.executable, "-m", "celery", "-A", "miniature.app", "worker"]
        command += ["--loglevel=info", "--concurrency=2", "--hostname", name]
        own = {**self.env, **(env or {})}
        return self._process("worker", [*command, *arguments], env=own, cwd=LEGACY)

    def beat(self) -> Process:
        """Starts what publishes the poller's task now and then."""
        command = [sys.executable, "-m", "celery", "-A", "miniature.app", "beat"]
        command += ["--loglevel=info", "--schedule", str(self.folder / "beat")]
        return self._process("beat", command, env=self.env, cwd=LEGACY)

    def queue(self, name: str) -> list[str]:
        """The texts on a list of the broker's, the next to be taken last."""
        return self.redis(1).lrange(name, 0, -1)

    def redis(self, database: int) -> redis.Redis:
        """A client."""
        return redis.Redis(port=self.redis_port, db=database, decode_responses=True)


def local_postgres(folder: Path) -> tuple[str, Callable[[], None]]:
    """A cluster of our own, and how to end it."""
    script = str(ROOT / "scripts/postgres")
    env = {
        **os.environ,
        "SWITCHYARD_STATE": str(folder),
        "SWITCHYARD_POSTGRES_PORT": str(free_port()),
    }
    started = subprocess.run(
        [script, "start"], env=env, check=True, capture_output=True, text=True
    )

    def stop() -> None:
        subprocess.run([script, "stop"], env=env, check=True)

    return started.stdout.strip(), stop
