"""Combinations of settings that start but do harm are told by name."""

from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

from vms.checks import settings_fit_together

HARMLESS: dict[str, Any] = {
    "DEBUG": False,
    "ORIGINS": [],
    "SECURE": False,
    "HYPERVISOR": "auto",
    "ACCELERATOR": "auto",
}
TLS = {"ORIGINS": ["https://vms.example.org"], "SECURE": True}


@pytest.fixture
def found(settings: Settings, tmp_path: Path) -> Any:
    tmp_path.chmod(0o700)

    def of(**changed: Any) -> list[str]:
        for name, value in {**HARMLESS, "DATA_DIR": tmp_path, **changed}.items():
            setattr(settings, name, value)
        return [str(message.id) for message in settings_fit_together()]

    return of


@pytest.mark.parametrize(
    ("changed", "ids"),
    [
        ({}, []),
        (TLS, []),
        ({"DEBUG": True}, []),
        ({"DEBUG": True, **TLS}, ["vms.E001"]),
        ({"ORIGINS": ["http://vms.example.org"]}, ["vms.W001"]),
        ({"ORIGINS": ["https://a.example", "http://b.example"]}, ["vms.W001"]),
        ({"HYPERVISOR": "memory"}, []),
        ({"HYPERVISOR": "memory", "ACCELERATOR": "kvm"}, ["vms.W002"]),
        ({"HYPERVISOR": "qemu:///session", "ACCELERATOR": "kvm"}, []),
        ({"HYPERVISOR": "memory", **TLS}, ["vms.W003"]),
    ],
)
def test_a_combination_that_does_harm_is_told(found: Any, changed: dict[str, Any], ids: list[str]) -> None:
    assert found(**changed) == ids


@pytest.mark.parametrize(
    "origin",
    [
        "https://*.example.org",
        "*",
        "vms.example.org",
        "https://",
        "https:",
        "ftp://vms.example.org",
        "https://vms.example.org/path",
        "https://vms.example.org?query",
        "https://user@vms.example.org",
    ],
)
def test_an_address_that_no_browser_would_send_is_an_error(found: Any, origin: str) -> None:
    assert found(ORIGINS=[origin], SECURE=True) == ["vms.E002"]


@pytest.mark.parametrize("origin", ["https://vms.example.org", "https://vms.example.org:8443", "https://[2001:db8::1]"])
def test_an_address_as_browsers_send_it_is_none(found: Any, origin: str) -> None:
    assert found(ORIGINS=[origin], SECURE=True) == []


@pytest.mark.parametrize(("mode", "ids"), [(0o700, []), (0o750, ["vms.W004"]), (0o701, ["vms.W004"])])
def test_state_that_others_may_look_into_is_told(found: Any, tmp_path: Path, mode: int, ids: list[str]) -> None:
    tmp_path.chmod(mode)
    assert found() == ids


def test_the_checks_are_run_with_all_others(settings: Settings) -> None:
    settings.DEBUG, settings.ORIGINS, settings.SECURE = True, ["https://vms.example.org"], True
    assert "vms.E001" in {message.id for message in run_checks()}
