"""Checks of combinations of settings that start but do harm."""

import stat
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register


@register()
def settings_fit_together(**_: Any) -> list[CheckMessage]:
    """What is wrong with the settings as a whole; each single one was checked when it was read."""
    found: list[CheckMessage] = []
    if settings.DEBUG and settings.ORIGINS:
        found.append(Error("DEBUG shows secrets to visitors of ORIGINS", hint="Unset DEBUG.", id="vms.E001"))
    if not all(_is_origin(origin) for origin in settings.ORIGINS):
        found.append(Error("ORIGINS takes scheme and host only, like https://vms.example.org", id="vms.E002"))
    if settings.ORIGINS and not settings.SECURE:
        found.append(
            Warning("Passwords and consoles travel in clear text", hint="Use https in ORIGINS.", id="vms.W001")
        )
    if settings.HYPERVISOR == "memory" and settings.ACCELERATOR != "auto":
        found.append(Warning("ACCELERATOR has no effect with HYPERVISOR=memory", id="vms.W002"))
    if settings.HYPERVISOR == "memory" and settings.ORIGINS:
        found.append(
            Warning("HYPERVISOR=memory runs no machine", hint="It is for trying the interface.", id="vms.W003")
        )
    if settings.DATA_DIR.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        found.append(Warning("Others may look into DATA_DIR", hint=f"chmod go= {settings.DATA_DIR}", id="vms.W004"))
    return found


def _is_origin(text: str) -> bool:
    parts = urlsplit(text)
    bare = not (parts.path or parts.query or parts.fragment or parts.username)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and bare and "*" not in text
