"""Machines to be found, and who looks for them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.actions.runs import up
from tests.factories import headless
from vms.actions import create
from vms.domain.changes import Changes
from vms.domain.console import Console, Offer
from vms.domain.search import parse
from vms.models import VM, Host, User
from vms.search.find import find, ordered
from vms.search.languages import LANGUAGES
from vms.search.visible import visible

Found = Callable[..., list[str]]
ALL = ["Beta", "alpha", "alpine", "dark"]


@pytest.fixture
def found(admin: User) -> Found:
    """The names that a search finds, in its order where it names one."""

    def names(text: str, model: type[Any] = VM, *, by: User = admin, exact_case: bool = False) -> list[str]:
        language, search = LANGUAGES[model], parse(text)
        rows = find(visible(model, by), language, search, by=by, exact_case=exact_case)
        told = [str(row) for row in ordered(rows.order_by(), language, search)]
        return told if search.order else sorted(told)

    return names


def serial_only(console: Console, _offer: Offer) -> Console:
    return replace(console, serial=True).as_headless()


@pytest.fixture
def machines(admin: User, host: Host) -> dict[str, VM]:
    """`alpha` runs with a screen, `dark` has nothing, `alpine` a serial line alone, `Beta` is like none of them."""
    told: dict[str, dict[str, Any]] = {
        "alpha": {"description": "Front end of the shop", "comment": "keep"},
        "dark": {"description": "50% of_all *stars*"},
        "alpine": {"description": "Ärger im Büro"},
        "Beta": {"delete_protected": True},
    }
    parts: dict[str, Any] = {"alpha": {"memory": 2048}, "Beta": {"memory": 4096, "os": "rhel_9x64"}}
    consoles = {"dark": headless, "alpine": serial_only}
    made = {}
    for name, attributes in told.items():
        changes = Changes(
            attributes=attributes, machine=parts.get(name, {}), console=consoles.get(name), accept_lockout=True
        )
        made[name] = create.vm(name, cluster=host.cluster, changes=changes, by=admin)
    made["alpha"] = up(made["alpha"], host, by=admin)
    return made
