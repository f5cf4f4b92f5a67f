"""Every page there is opens on both databases; what the pages say is the subject of the tests around this one."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from vms.actions import create
from vms.models import VM, Host, User
from vms.wire.client import EngineClient

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


@pytest.fixture
def rows(vm: VM, headless_vm: VM, host: Host, admin: User) -> dict[str, Any]:
    """One row of each section, by the words that its addresses begin with."""
    pool = create.pool("desk", cluster=host.cluster, size=2, by=admin)
    return {
        "vms/": vm,
        "portal/vms/": vm,
        "portal/pools/": pool,
        "pools/": pool,
        "templates/": create.template("golden", vm=vm, by=admin),
        "instance-types/": create.instance_type("sized", by=admin),
    }


def pages(resolver: Any = None, before: str = "") -> Iterator[str]:
    """The addresses of WebAdmin and the UserPortal, as they are written in the tables of addresses."""
    for one in (resolver or get_resolver()).url_patterns:
        place = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from pages(one, place)
        elif isinstance(one, URLPattern) and one.callback.__module__.startswith("vms.web."):
            yield place


def test_every_page_opens_and_none_asks_a_hypervisor(
    web: Client, rows: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(_client: EngineClient, kind: str, **_told: Any) -> None:
        raise AssertionError(f"a GET asked the engine for {kind}")

    monkeypatch.setattr(EngineClient, "_request", asked)
    opened = 0
    for place in pages():
        row = next((row for words, row in rows.items() if place.startswith(words)), None)
        path = place.replace("<uuid:pk>", str(row.pk) if row else "").replace("<str:protocol>", "vnc")
        if "<" in path:  # takes a verb, and so a post
            continue
        answer = web.get(f"/{path}")
        assert answer.status_code < 500, path  # it may want a post, or have nothing of the kind here
        opened += answer.status_code == 200
    assert opened > 40
