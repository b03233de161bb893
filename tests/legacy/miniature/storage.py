"""The object store."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from .settings import settings


@cache
def _client() -> Any:
    return boto3.client(
        "s3",
        region_name=settings().storage_region,
        aws_access_key_id=settings().storage_access_key,
        aws_secret_access_key=settings().storage_secret_key,
        config=Config(retries={"max_attempts": 3, "mode": "adaptive"}),
    )


def _place(bucket: str | None, key: str) -> tuple[str, str]:
    """Bucket and key; a prefix in the bucket's setting applies to other buckets too."""
    own, _, prefix = settings().storage_bucket.partition("/")
    return bucket or own, f"{prefix}/{key}" if prefix else key


async def upload(path: Path, key: str) -> None:
    """Stores a file in our own bucket, without a content type."""
    await asyncio.to_thread(_client().upload_file, str(path), *_place(None, key))


async def delete(key: str, bucket: str | None = None) -> None:
    """Deletes an object."""
    bucket, key = _place(bucket, key)
    await asyncio.to_thread(_client().delete_object, Bucket=bucket, Key=key)


def presign(key: str, seconds: int, bucket: str | None = None) -> str:
    """A URL that anybody may GET for so long."""
    bucket, key = _place(bucket, key)
    return _client().generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=seconds
    )
