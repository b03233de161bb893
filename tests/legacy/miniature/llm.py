"""The language model: plain calls and calls whose answer has a form."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx

from . import outside, prompts
from .settings import settings

T = TypeVar("T")

REQUEST_TIMEOUT = 60.0
FORM_TIMEOUT = 120.0
CLIENT_ATTEMPTS = 4
OUTER_ATTEMPTS = 3
OUTER_SECONDS = 60.0


@dataclass(frozen=True)
class Form(Generic[T]):
    """A JSON object that is asked for, and how it is read."""

    schema: dict[str, Any]
    read: Callable[[dict[str, Any]], T]
    """Raises a ValueError that is shown to the model."""


@dataclass(frozen=True)
class Model:
    """The model with the parameters of one use."""

    session_id: str
    temperature: float
    max_tokens: int

    async def ask(self, query: str, text: str) -> str:
        """An answer to `query` from `text`."""
        return await self._complete(
            [
                {"role": "system", "content": prompts.SYSTEM},
                {"role": "user", "content": prompts.user(text.strip(), query)},
            ]
        )

    async def fill(self, query: str, text: str, form: Form[T]) -> T:
        """An answer to `query` from `text` in a given form."""
        async with asyncio.timeout(FORM_TIMEOUT):
            analysis = await self.ask(query, text)
            first = prompt = prompts.form(analysis, form.schema)
            for attempts_left in range(settings().llm_parse_max_retries, -1, -1):
                answer = await self._complete([{"role": "user", "content": prompt}])
                try:
                    return form.read(_json_in(answer))
                except ValueError as error:
                    if not attempts_left:
                        raise
                    prompt = first + prompts.repair(answer, str(error))
            raise AssertionError("llm: the last attempt returns or raises")

    async def _complete(self, messages: list[dict[str, str]]) -> str:
        """One answer, through two layers of retries."""
        began = time.monotonic()
        for attempt in range(1, OUTER_ATTEMPTS + 1):
            try:
                return await self._request(messages)
            except (httpx.TransportError, httpx.HTTPStatusError) as error:
                late = time.monotonic() - began > OUTER_SECONDS
                if not _is_passing(error) or late or attempt == OUTER_ATTEMPTS:
                    raise
                await asyncio.sleep(random.uniform(1, min(20, 2**attempt)))
        raise AssertionError("llm: the last attempt returns or raises")

    async def _request(self, messages: list[dict[str, str]]) -> str:
        body = {
            "messages": messages,
            "model": settings().llm_model,
            "max_tokens": self.max_tokens,
            "stream": False,
            "temperature": self.temperature,
            "litellm_session_id": self.session_id,
        }
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Authorization": f"Bearer {settings().llm_api_key}",
        }
        target = f"{settings().llm_url}/chat/completions"
        async with outside.client(REQUEST_TIMEOUT) as client:
            for attempt in range(CLIENT_ATTEMPTS):
                try:
                    response = await client.post(target, headers=headers, json=body)
                    response.raise_for_status()
                    return response.json()["choices"][0]["message"]["content"]
                except (httpx.TransportError, httpx.HTTPStatusError) as error:
                    if not _is_passing(error) or attempt == CLIENT_ATTEMPTS - 1:
                        raise
                    await asyncio.sleep(min(8, 0.5 * 2**attempt))
        raise AssertionError("llm: the last attempt returns or raises")


def _is_passing(error: httpx.HTTPError) -> bool:
    """Whether asking again may help."""
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        return status in (408, 409, 429) or status >= 500
    return True


def _json_in(answer: str) -> dict[str, Any]:
    """The object between the first brace and the last."""
    start, end = answer.find("{"), answer.rfind("}")
    if start < 0 or end < start:
        raise ValueError("there is no JSON object")
    return json.loads(answer[start : end + 1])
