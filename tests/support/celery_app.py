"""A small Celery application for tests: tasks that tell how they were called.

Started as `celery -A celery_app worker`; its settings are in the environment.
"""

import os
import time

import redis
from celery import Celery

PREFIX = os.environ.get("KEY_PREFIX", "")

app = Celery("reflector.worker.app", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_default_queue="celery",
    broker_transport_options={"global_keyprefix": PREFIX} if PREFIX else {},
    result_backend_transport_options={"global_keyprefix": PREFIX} if PREFIX else {},
)


@app.task(name="reflector.pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process", bind=True)
def pipeline(self, *, transcript_id, bucket_name, track_keys):
    return {
        "id": self.request.id,
        "transcript_id": transcript_id,
        "bucket_name": bucket_name,
        "track_keys": track_keys,
        "routing_key": self.request.delivery_info["routing_key"],
    }


@app.task(name="tests.echo")
def echo(what, *_more, **_named):
    return what


@app.task(name="tests.retry", bind=True, max_retries=1)
def retry(self):
    if self.request.retries == 0:
        raise self.retry(countdown=0)
    return self.request.delivery_info["routing_key"]


@app.task(name="tests.hang", bind=True, acks_late=True)
def hang(self):
    """Says that it has begun, and ends only when it is run again."""
    redis.Redis.from_url(os.environ["REDIS_URL"]).rpush(PREFIX + "began", self.request.id)
    if not self.request.delivery_info.get("redelivered"):
        time.sleep(600)
    return self.request.delivery_info["routing_key"]
