"""Runs recorded cases through the miniature: `run.py cases base …`, or serves: `run.py up`."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import compare_golden
from harness import trigger
from harness.capture import Capture
from harness.cases import CASES, ROOT
from harness.remote import Remote
from harness.world import World, local_postgres


def main() -> int:
    """0 if every case is equal to what was recorded."""
    arguments = _arguments()
    # Ended in whatever way, the servers end too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    postgres, stop = arguments.postgres, None
    if postgres is None:
        postgres, stop = local_postgres(arguments.out / "postgres")
    try:
        if arguments.command == "up":
            return _up(arguments, postgres)
        names = arguments.names or list(CASES)
        equal = [_run(arguments, postgres, name) for name in names]
        return 0 if all(equal) else 1
    finally:
        if stop:
            stop()


def _run(arguments: argparse.Namespace, postgres: str, name: str) -> bool:
    """Runs one case and compares it."""
    target = arguments.out / name
    shutil.rmtree(target, ignore_errors=True)
    world = _world(arguments, postgres, name, target)
    try:
        capture = Capture(world)
        if world.case.is_post_chain:
            trigger.post_chain(world)
        else:
            capture.daily_webhook()
        capture.before_a_worker()
        world.worker()
        trigger.wait_until_done(world)
        capture.write(target / "dump")
    finally:
        world.stop()
    report = compare_golden.compare(target / "dump", world.case.folder)
    print(f"{name} ({time.monotonic() - capture.began:.0f} s): {report}", flush=True)
    return report.is_equal


def _up(arguments: argparse.Namespace, postgres: str) -> int:
    """Prints where everything is, and serves until it is told to end."""
    name = arguments.case
    world = _world(arguments, postgres, name, arguments.out / f"up-{name}")
    try:
        remote = Remote(world)
        if not arguments.no_worker:
            world.worker(*arguments.worker)
        redis_url = f"redis://127.0.0.1:{world.redis_port}"
        where = {
            "remote": remote.url,
            "api": world.api_url,
            "database": world.database_url,
            "redis": f"{redis_url}/0",
            "broker": f"{redis_url}/1",
            "sandbox": world.sandbox_url,
            "store": world.store_url,
            "data": str(world.data),
            "env": world.env,
        }
        print(json.dumps(where, indent=None if arguments.until_eof else 1), flush=True)
        with suppress(KeyboardInterrupt):
            if arguments.until_eof:
                sys.stdin.read()
            else:
                signal.pause()
        return 0
    finally:
        world.stop()


def _world(
    arguments: argparse.Namespace, postgres: str, name: str, folder: Path
) -> World:
    return World(
        folder,
        CASES[name],
        postgres=postgres,
        sandbox=arguments.sandbox,
        store=arguments.store,
        workflow_columns=not arguments.without_workflow_columns,
        extra_env=dict(pair.split("=", 1) for pair in arguments.env),
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "target/legacy")
    parser.add_argument("--postgres", help="URL of a server; else a cluster is started")
    parser.add_argument("--sandbox", help="URL of stand-ins; else they are started")
    parser.add_argument("--store", help="URL of an S3 server; else moto is started")
    parser.add_argument(
        "--without-workflow-columns",
        action="store_true",
        help="a database at the older revision",
    )
    parser.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="for API and worker; may be repeated",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    cases = commands.add_parser("cases", help="run cases and compare them")
    cases.add_argument("names", nargs="*", metavar="NAME", help="all, if none is given")
    up = commands.add_parser("up", help="start everything and wait")
    up.add_argument("--case", default="base", choices=CASES)
    up.add_argument("--no-worker", action="store_true", help="start no worker")
    up.add_argument(
        "--until-eof",
        action="store_true",
        help="end when standard input does, and print one line",
    )
    up.add_argument("worker", nargs="*", help="arguments for the worker, after --")
    arguments = parser.parse_args()
    unknown = set(getattr(arguments, "names", ())) - set(CASES)
    if unknown:
        parser.error(
            f"no such case: {', '.join(unknown)}; there are {', '.join(CASES)}"
        )
    return arguments


if __name__ == "__main__":
    sys.exit(main())
