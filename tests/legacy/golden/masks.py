"""What need not be equal, and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = Any


@dataclass(frozen=True)
class Mask:
    """What need not be equal: places in JSON (`*` for one step), or parts of texts."""

    files: str
    """A pattern for the whole name."""
    why: str
    paths: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    """Patterns; a first group stays."""
    cases: str = ".*"
    """A pattern for the whole name of the case."""


MASKS = (
    Mask(
        r".*\.jsonl?",
        "seconds since the trigger",
        paths=("t", "*.t", "calls.*.t", "order.*.t", "commands.*.t", "results.*.t"),
    ),
    Mask(r".*", "remarks of the recorder", paths=("note",)),
    Mask(
        r"daily_webhook_in\.json",
        "signed with a secret of our own",
        paths=("request.headers.X-Webhook-Signature",),
    ),
    Mask(
        r"celery/.*",
        "kombu's own ids, the producers' process ids and hosts",
        paths=(
            "headers.origin",
            "properties.origin",
            "properties.reply_to",
            "properties.delivery_tag",
            "body_decoded.2.chain.*.options.reply_to",
        ),
        texts=(
            r'("origin": )"[^"]*"',
            r'("reply_to": )"[^"]*"',
            r'("delivery_tag": )"[^"]*"',
        ),
    ),
    Mask(
        r"celery/.*|pubsub\.jsonl",
        "moments",
        paths=("headers.eta",),
        texts=(r'("eta": )"[^"]*"', r'("date_done": )"[^"]*"'),
    ),
    Mask(
        r"celery/recording_lock\.json",
        "the lock's token",
        paths=("commands.*.command.2",),
    ),
    Mask(
        r"requests\.json",
        "where the store is, and until when a URL is good",
        texts=(
            r"https?://127\.0\.0\.1:\d+(/)",
            r"(Signature=)[^&\"]*",
            r"(Expires=)\d+",
        ),
    ),
    Mask(
        r"requests\.json",
        "length and digest of bodies that hold such things; the bodies are compared",
        paths=("[service=transcription].body_bytes", "[answer_status].body_sha256"),
        texts=(r"(t=)\d+,v1=[0-9a-f]{64}",),
    ),
    Mask(
        r"requests\.json",
        "the stand-in keeps no versions and no answers",
        paths=("*.http_version", "*.answer"),
    ),
    Mask(
        r"requests\.json|webhook_.*",
        "when the webhook was made",
        paths=("*.timestamp",),
        texts=(r'^(\{"event":"[^"]*","event_id":"[^"]*","timestamp":)"[^"]*"',),
    ),
    Mask(
        r"llm_calls\.json",
        "our own prompts and client; the stand-in keeps no answers",
        paths=(
            "calls.*.messages.*.chars",
            "calls.*.headers.User-Agent",
            "calls.*.answer",
        ),
    ),
    Mask(r"pubsub_order\.json", "Celery's heartbeats", paths=("counted",)),
    Mask(
        r"s3\.json",
        "dummies in place of camera videos, and a new container id in every padded file",
        paths=("[key~cam-video].sha256", "[key~/padded_].sha256"),
    ),
    Mask(
        r"s3\.json",
        "the stand-in wants a known type of a key without ending",
        paths=("[key~-cam-audio-1760954400209].content_type",),
        cases="start0_track",
    ),
    Mask(
        r"llm_calls\.json",
        "the recorder's stand-in went on counting chunks from an earlier case",
        paths=("[kind~topic.].ref",),
        cases="consent_denied",
    ),
)


def masked(data: Json, masks: list[Mask], met: Counter[str]) -> Json:
    """The data without what is masked; `met` counts, by place and reason."""
    for mask in masks:
        for pattern in mask.texts:
            data = _texts(data, re.compile(pattern), f"/{pattern}/: {mask.why}", met)
        for path in mask.paths:
            _drop(data, path, f"{path}: {mask.why}", met)
    return data


def _texts(data: Json, pattern: re.Pattern[str], why: str, met: Counter[str]) -> Json:
    if isinstance(data, dict):
        return {name: _texts(value, pattern, why, met) for name, value in data.items()}
    if isinstance(data, list):
        return [_texts(value, pattern, why, met) for value in data]
    if isinstance(data, str):
        data, times = pattern.subn(r"\1<masked>", data)
        if times:
            met[why] += times
    return data


def _drop(data: Json, path: str, why: str, met: Counter[str]) -> None:
    """Masks the value at a path; `[name]`, `[name=value]` and `[name~part]` are objects anywhere
    whose member is there, is that, or holds that."""
    if found := re.fullmatch(r"\[(\w+)(?:([=~])([^\]]*))?\]\.(.+)", path):
        for item in _objects(data):
            value = item.get(found[1])
            fits = {None: value is not None, "=": value == found[3]}
            fits["~"] = isinstance(value, str) and (found[3] or "") in value
            if fits[found[2]]:
                _drop(item, found[4], why, met)
        return
    step, _, rest = path.partition(".")
    if isinstance(data, dict):
        names = list(data) if step == "*" else [name for name in data if name == step]
    elif isinstance(data, list):
        names = [n for n in range(len(data)) if step in ("*", str(n))]
    else:
        return
    for name in names:
        if rest:
            _drop(data[name], rest, why, met)
        elif isinstance(data, dict):
            del data[name]
            met[why] += 1
        else:
            data[name] = "<masked>"
            met[why] += 1


def _objects(data: Json) -> Iterator[dict[str, Json]]:
    if isinstance(data, dict):
        yield data
        data = list(data.values())
    if isinstance(data, list):
        for item in data:
            yield from _objects(item)
