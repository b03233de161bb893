"""The Celery application: `celery -A miniature.app worker`."""

from __future__ import annotations

from celery import Celery

from .settings import settings

app = Celery(
    "reflector.worker.app",
    broker=settings().broker_url,
    backend=settings().result_backend,
    include=["miniature.tasks"],
)
app.conf.task_routes = settings().task_routes
app.conf.beat_schedule = {
    "poll_daily_recordings": {
        "task": "reflector.worker.process.poll_daily_recordings",
        "schedule": settings().poll_seconds,
    }
}
