"""Who knocks at a console: what a WebSocket's handshake must say before anybody looks at its pass."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.http.request import split_domain_port, validate_host

# The pass comes as a subprotocol, for neither servers nor proxies write those down, as they do addresses.
PREFIX: Final = "pass."
SPOKEN: Final = "binary"

_PATH: Final = re.compile(r"/consoles/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/([a-z]{1,8})")


@dataclass(frozen=True, slots=True)
class Caller:
    """What somebody wants to open, with which pass, from which session (empty for a program without one)."""

    machine: UUID
    kind: str
    told: str
    session: str
    address: str | None


def caller_of(scope: dict[str, Any]) -> Caller | None:
    """The caller of a handshake; None for one that no page of this site makes."""
    path = _PATH.fullmatch(scope["path"])
    told = [name.removeprefix(PREFIX) for name in scope.get("subprotocols", ()) if name.startswith(PREFIX)]
    session = _session(scope)
    if path is None or len(told) != 1 or not _from_here(scope, has_session=bool(session)):
        return None
    client = scope.get("client")
    return Caller(UUID(path[1]), path[2], told[0], session, client[0] if client else None)


def _from_here(scope: dict[str, Any], *, has_session: bool) -> bool:
    """Whether the page that opens it is one of this site's; a program names no page, but then it has no cookie."""
    hosts, origins = list(_headers(scope, b"host")), list(_headers(scope, b"origin"))
    if len(hosts) != 1 or len(origins) > 1:
        return False
    # Else a name of somebody else's that leads here would count as this site.
    if not validate_host(split_domain_port(hosts[0])[0], settings.ALLOWED_HOSTS):
        return False
    if not origins:
        return not has_session
    return origins[0] in settings.ORIGINS or _place(origins[0]) == hosts[0].lower()


def _place(origin: str) -> str:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return ""
    return parts.netloc.lower() if parts.scheme in {"http", "https"} else ""


def _session(scope: dict[str, Any]) -> str:
    cookies: SimpleCookie = SimpleCookie()
    for header in _headers(scope, b"cookie"):
        try:
            cookies.load(header)
        except CookieError:
            continue
    found = cookies.get(settings.SESSION_COOKIE_NAME)
    return found.value if found else ""


def _headers(scope: dict[str, Any], name: bytes) -> Iterator[str]:
    return (value.decode("latin-1") for key, value in scope["headers"] if key == name)
