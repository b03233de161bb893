"""HTTP to the services outside, by the names production knows them by."""

from __future__ import annotations

import httpx

from .settings import settings


class StandIns(httpx.AsyncHTTPTransport):
    """Connects to stand-ins in place of known hosts.

    Requests keep their own URL and `Host`, so that nothing else differs from production.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        base = settings().outside_hosts.get(request.url.netloc.decode())
        if base is not None:
            path = request.url.raw_path.decode()
            request = httpx.Request(
                request.method,
                base.rstrip("/") + path,
                headers=request.headers,
                stream=request.stream,
                extensions=request.extensions,
            )
        return await super().handle_async_request(request)


def client(timeout: float, *, follow_redirects: bool = False) -> httpx.AsyncClient:
    """A client whose requests take at most `timeout` seconds per phase."""
    return httpx.AsyncClient(
        transport=StandIns(), timeout=timeout, follow_redirects=follow_redirects
    )
