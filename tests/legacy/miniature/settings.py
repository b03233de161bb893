"""What the environment says."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any


def _text(name: str, default: str = "") -> Any:
    return field(default_factory=lambda: os.environ.get(name, default))


def _number(name: str, default: int) -> Any:
    return field(default_factory=lambda: int(os.environ.get(name, default)))


def _data(name: str) -> Any:
    return field(default_factory=lambda: json.loads(os.environ.get(name, "{}")))


@dataclass(frozen=True)
class Settings:
    """The legacy's variables under their own names; those that begin with LEGACY are for tests."""

    database_url: str = _text(
        "DATABASE_URL",
        "postgresql+asyncpg://reflector:reflector@localhost:5432/reflector",
    )
    data_dir: str = _text("DATA_DIR", "./data")
    redis_host: str = _text("REDIS_HOST", "localhost")
    redis_port: int = _number("REDIS_PORT", 6379)
    broker_url: str = _text("CELERY_BROKER_URL", "redis://localhost:6379/1")
    result_backend: str = _text("CELERY_RESULT_BACKEND", "redis://localhost:6379/1")
    ui_base_url: str = _text("UI_BASE_URL", "http://localhost:3000")

    transcript_backend: str = _text("TRANSCRIPT_BACKEND", "whisper")
    transcript_url: str = _text("TRANSCRIPT_URL")
    transcript_api_key: str = _text("TRANSCRIPT_MODAL_API_KEY")
    transcript_timeout: int = _number("TRANSCRIPT_FILE_TIMEOUT", 600)

    storage_bucket: str = _text(
        "TRANSCRIPT_STORAGE_AWS_BUCKET_NAME", "reflector-bucket"
    )
    storage_region: str = _text("TRANSCRIPT_STORAGE_AWS_REGION", "us-east-1")
    storage_access_key: str = _text("TRANSCRIPT_STORAGE_AWS_ACCESS_KEY_ID")
    storage_secret_key: str = _text("TRANSCRIPT_STORAGE_AWS_SECRET_ACCESS_KEY")

    daily_bucket: str = _text("DAILYCO_STORAGE_AWS_BUCKET_NAME")
    daily_region: str = _text("DAILYCO_STORAGE_AWS_REGION")
    daily_role_arn: str = _text("DAILYCO_STORAGE_AWS_ROLE_ARN")
    daily_api_key: str = _text("DAILY_API_KEY")
    daily_subdomain: str = _text("DAILY_SUBDOMAIN")
    daily_webhook_secret: str = _text("DAILY_WEBHOOK_SECRET")

    llm_model: str = _text("LLM_MODEL", "microsoft/phi-4")
    llm_url: str = _text("LLM_URL")
    llm_api_key: str = _text("LLM_API_KEY")
    llm_parse_max_retries: int = _number("LLM_PARSE_MAX_RETRIES", 3)
    min_transcript_length: int = _number("MIN_TRANSCRIPT_LENGTH", 750)

    zulip_realm: str = _text("ZULIP_REALM")
    zulip_api_key: str = _text("ZULIP_API_KEY")
    zulip_bot_email: str = _text("ZULIP_BOT_EMAIL")

    webhook_retry_seconds: int = _number("LEGACY_WEBHOOK_RETRY_SECONDS", 60)
    """Between two deliveries of a customer's webhook."""
    poll_seconds: int = _number("LEGACY_POLL_SECONDS", 180)
    """Between two looks at Daily's list of recordings."""
    outside_hosts: dict[str, str] = _data("LEGACY_OUTSIDE_HOSTS")
    """Where to connect instead, by host (with its port if the URL has one): base URLs."""
    task_routes: dict[str, Any] = _data("LEGACY_TASK_ROUTES")
    """Celery's `task_routes`."""

    def folder(self, transcript_id: str) -> Path:
        """Where a transcript's local files lie."""
        return Path(self.data_dir) / transcript_id


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings()
