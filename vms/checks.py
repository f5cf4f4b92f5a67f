"""Checks of combinations of settings that start but do harm."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register


@register()
def settings_fit_together(**_: Any) -> list[CheckMessage]:
    """What is wrong with the settings as a whole; each single one was checked when it was read."""
    found: list[CheckMessage] = []
    if settings.DEBUG and settings.ORIGINS:
        found.append(Error("DEBUG shows secrets to visitors of ORIGINS", hint="Unset DEBUG.", id="vms.E001"))
    if any("*" in origin or origin.rstrip("/").count("/") != 2 for origin in settings.ORIGINS):
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
    return found
