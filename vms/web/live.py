"""The line over which open pages hear that something has changed; without it they ask by themselves."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_GET

from vms.models import User
from vms.routes import Access, route

from .hub import HUB, Stream


@route(Access.USER)
@require_GET
async def live(request: HttpRequest) -> HttpResponseBase:
    """Server-sent events: which rows have changed, of those that the reader may see.

    204 where the server can keep no line open (browsers then stop asking), 503 where there are too many.
    """
    if not isinstance(request, ASGIRequest):
        return HttpResponse(status=204)
    user = cast(User, await request.auser())
    stream = HUB.join(user.pk, request.session.session_key or "", asyncio.get_running_loop())
    if stream is None:
        return HttpResponse(status=503, headers={"Retry-After": "30"})
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(_open(stream), content_type="text/event-stream", headers=headers)


async def _open(stream: Stream) -> AsyncIterator[str]:
    try:
        async for event in stream.events():
            yield event
    finally:
        HUB.leave(stream)
