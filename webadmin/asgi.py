"""The door of the web server: `uvicorn webadmin.asgi:application`."""

import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webadmin.settings")
_pages = get_asgi_application()

from vms.consoles.door import consoles  # noqa: E402  (the models that it speaks of are there only now)
from vms.transfers.door import PREFIX, images  # noqa: E402


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Pages for requests, consoles for WebSockets, images for those who show a ticket for one."""
    if scope["type"] == "websocket":
        await consoles(scope, receive, send)
    elif scope["type"] == "http" and scope["path"].startswith(PREFIX):
        await images(scope, receive, send)
    else:
        await _pages(scope, receive, send)
