"""Who may ask: a browser on this machine that shows the viewer's own page, and nobody else."""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_LETTERS = 2000
"""Of an address with its query."""
HEADERS = {
    b"content-security-policy": b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
    b"cache-control": b"no-store",
}


class Guard:
    """Refuses what comes by another name (a site that has its name point here), or from another site's page.

    Args:
        app: what is guarded.
        port: that is listened on.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._hosts = {f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return None  # no other protocol is spoken
        refusal = self._refusal(scope)
        answer = self._app if refusal is None else JSONResponse({"error": refusal[1]}, refusal[0])

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS.items()]
            await send(message)

        await answer(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        given: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            given.setdefault(name.lower(), []).append(value)
        hosts = given.get(b"host", [])
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return 421, "this is a viewer for this machine alone; open it as http://127.0.0.1 with its port"
        if any(
            origin.lower() not in {b"http://" + host for host in self._hosts} for origin in given.get(b"origin", [])
        ):
            return 403, "this was asked by the page of another site"
        if set(given.get(b"sec-fetch-site", [])) - {b"same-origin", b"none"}:
            return 403, "this was asked by the page of another site"
        if scope["method"] not in ("GET", "HEAD") and not given.get(b"origin"):
            return 403, "only the viewer's own page may change anything"
        if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > MOST_LETTERS:
            return 414, f"an address may have {MOST_LETTERS} letters"
        return None
