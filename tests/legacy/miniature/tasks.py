"""The Celery tasks, by the names that other programs know."""

from __future__ import annotations

import asyncio
import logging
import uuid

import httpx
from celery import Task, chain

from . import consent, pipeline, recordings, tracks, webhook, zulip
from .app import app
from .settings import settings

log = logging.getLogger(__name__)

WEBHOOK_RETRIES = 30


@app.task(name="reflector.worker.process.process_multitrack_recording")
def process_multitrack_recording(
    bucket_name: str, daily_room_name: str, recording_id: str, track_keys: list[str]
) -> None:
    """Makes the rows of a recording and queues its pipeline."""
    if track_keys:
        asyncio.run(_process(bucket_name, daily_room_name, recording_id, track_keys))


async def _process(bucket: str, room: str, recording_id: str, keys: list[str]) -> None:
    async with recordings.locked(recording_id) as ours:
        if not ours:
            log.warning("recording %s is being taken in elsewhere", recording_id)
            return
        transcript_id = await recordings.prepare(bucket, room, recording_id, keys)
        task_pipeline_multitrack_process.delay(
            transcript_id=transcript_id,
            bucket_name=bucket,
            track_keys=tracks.cam_audio(keys),
        )


@app.task(name="reflector.worker.process.poll_daily_recordings")
def poll_daily_recordings() -> None:
    """Queues the recordings that no webhook told of."""
    if settings().daily_bucket:
        for arguments in asyncio.run(recordings.unknown()):
            process_multitrack_recording.delay(**arguments)


@app.task(
    name="reflector.pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process",
    bind=True,
)
def task_pipeline_multitrack_process(
    self: Task, *, transcript_id: str, bucket_name: str, track_keys: list[str]
) -> None:
    """The whole pipeline, and on its success the tasks that follow."""
    asyncio.run(pipeline.run(transcript_id, bucket_name, track_keys, self.request.id))
    queue_post_chain(transcript_id)


def queue_post_chain(transcript_id: str) -> None:
    """Consent, then Zulip, then the webhook; one that fails stops the rest."""
    chain(
        task_cleanup_consent.si(transcript_id=transcript_id),
        task_pipeline_post_to_zulip.si(transcript_id=transcript_id),
        task_send_webhook_if_needed.si(transcript_id=transcript_id),
    ).delay()


@app.task(name="reflector.pipelines.main_live_pipeline.task_cleanup_consent")
def task_cleanup_consent(*, transcript_id: str) -> None:
    """Deletes the audio if consent was denied."""
    asyncio.run(consent.clean_up(transcript_id))


@app.task(name="reflector.pipelines.main_live_pipeline.task_pipeline_post_to_zulip")
def task_pipeline_post_to_zulip(*, transcript_id: str) -> None:
    """Posts to Zulip."""
    asyncio.run(zulip.post(transcript_id))


@app.task(name="reflector.pipelines.main_file_pipeline.task_send_webhook_if_needed")
def task_send_webhook_if_needed(*, transcript_id: str) -> None:
    """Queues the delivery of the webhook, under an id that all its attempts have."""
    room_id = asyncio.run(webhook.is_wanted(transcript_id))
    if room_id:
        send_transcript_webhook.delay(transcript_id, room_id, event_id=uuid.uuid4().hex)


@app.task(
    name="reflector.worker.webhook.send_transcript_webhook",
    bind=True,
    max_retries=WEBHOOK_RETRIES,
)
def send_transcript_webhook(
    self: Task, transcript_id: str, room_id: str, event_id: str
) -> None:
    """One delivery; tried again after a constant time unless the receiver is to blame."""
    attempt = webhook.deliver(transcript_id, room_id, event_id, self.request.retries)
    try:
        asyncio.run(attempt)
    except Exception as error:
        if isinstance(error, httpx.HTTPStatusError) and error.response.is_client_error:
            log.error("webhook refused with %d", error.response.status_code)
            return
        raise self.retry(exc=error, countdown=settings().webhook_retry_seconds)
