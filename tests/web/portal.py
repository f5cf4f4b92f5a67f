"""UserPortal in somebody's browser: who is there, what a page says, and which of its buttons can be pressed."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.factories import headless, person
from tests.web.browser import controls
from vms.actions import create
from vms.domain.changes import Changes
from vms.models import VM, Cluster, Host, Permission, Pool, Role, User

HTMX = {"HX-Request": "true"}


@pytest.fixture
def of() -> Callable[[User], Client]:
    """Somebody's browser."""

    def browser(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return browser


@pytest.fixture
def mine(vm: VM) -> str:
    """The address of `vm` in UserPortal."""
    return f"/portal/vms/{vm.pk}/"


@pytest.fixture
def pool(admin: User, host: Host, cluster: Cluster) -> Pool:
    """Two headless machines to take."""
    return create.pool("desk", cluster=cluster, size=2, changes=Changes(console=headless), by=admin)


@pytest.fixture
def dora(pool: Pool) -> User:
    """May take machines of the pool."""
    return person("dora", role="UserRole", pool=pool)


def granted(user: User, role: str, **on: Any) -> None:
    """Another role; the password, and so the session, stays."""
    Permission.objects.create(user=user, role=Role.objects.get(name=role), **on)


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def text(client: Client, path: str) -> str:
    return text_of(client.get(path).content.decode())


def button(client: Client, path: str, name: str) -> tuple[bool, str]:
    """Whether a button can be pressed, and why not."""
    html = client.get(path).content.decode()
    found = re.search(rf'<(?:button|a) [^>]*id="do-{name}"[^>]*>', html)
    assert found, name
    why = re.search(rf'id="why-{name}">([^<]*)<', html)
    return "aria-disabled" not in found.group(), why.group(1) if why else ""


def mark_of(html: str) -> str:
    found = re.search(r"seen=([0-9a-f]+)", html)
    assert found
    return found.group(1)


def fields(client: Client, path: str) -> dict[str, Any]:
    return controls(client.get(path).content.decode(), path).data
