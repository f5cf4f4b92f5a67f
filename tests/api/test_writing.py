"""How long lists are written: the same as every entity by itself, in pieces, from one query."""

import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from asgiref.sync import async_to_sync
from django.http import StreamingHttpResponse

from tests.actions.runs import choosing, up
from tests.api.caller import Caller, tree
from tests.factories import headless, machine
from vms.actions import consoles, create, edit
from vms.api import streaming
from vms.domain.changes import Changes
from vms.domain.console import Protocol
from vms.domain.runonce import ConsoleChoice
from vms.management import whole
from vms.models import VM, Host, User

NAMES = {
    "vms": "vm",
    "templates": "template",
    "instancetypes": "instance_type",
    "vmpools": "vm_pool",
    "clusters": "cluster",
    "datacenters": "data_center",
    "hosts": "host",
    "jobs": "job",
    "events": "event",
}


def machines_of_all_sorts(admin: User, host: Host) -> None:
    """Off, headless, with both protocols; running, with a change pending, and once with something else."""
    machine("off", by=admin)
    machine("bare", by=admin, console=headless)
    consoles.attach(machine("both", by=admin), Protocol.SPICE, by=admin)
    up(machine("on", by=admin), host, by=admin)
    changed = up(machine("changed", by=admin), host, by=admin)
    up(machine("once-bare", by=admin), host, by=admin, overlay=choosing(ConsoleChoice.HEADLESS))
    up(machine("once", by=admin, console=headless), host, by=admin, overlay=choosing(ConsoleChoice.VNC))
    edit.edit(changed, Changes(machine={"memory": 2048}, console=headless), by=admin)
    create.template("golden", vm=changed, by=admin)
    create.pool("row", cluster=host.cluster, by=admin)
    VM.objects.filter(name="off").update(description='<&"> \\ ü', comment="two\nlines")


def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


@pytest.mark.django_db
@pytest.mark.sql
def test_a_list_tells_the_same_as_each_entity_by_itself(api: Caller, admin: User, host: Host) -> None:
    machines_of_all_sorts(admin, host)
    for path, name in NAMES.items():
        for more in ("", "?filter=true", "?next_run=true"):
            answer = api.get(f"/{path}{more}")
            if api.language == "json":
                json.loads(answer.text, object_pairs_hook=distinct)
            told = answer.all(name)
            assert told or (path == "hosts" and more == "?filter=true"), path
            for each in told[:12]:
                assert api.get(f"{each['href']}{more}").tree == each


@pytest.mark.django_db
def test_what_the_measurement_writes_by_hand_is_the_same_list(xml: Caller, admin: User, host: Host) -> None:
    for name in ("off", "on"):
        machine(name, by=admin)
    machine("bare", by=admin, console=headless)
    up(VM.objects.get(name="on"), host, by=admin)
    ours = {vm["name"]: vm for vm in xml.get("/vms").all("vm")}
    assert {vm["name"]: vm for vm in tree(whole.by_hand(admin))["vm"]} == ours
    framework = {vm["name"]: vm for vm in json.loads(whole.serialized(admin))}
    assert [framework[name]["link"] for name in ours] == [vm["link"] for vm in ours.values()]


@pytest.mark.django_db
def test_a_long_list_is_sent_in_pieces_and_a_short_one_whole(xml: Caller, admin: User, host: Host) -> None:
    machine("first", by=admin)
    short = xml.get("/vms").response
    assert (short.streaming, "vms" in short.content.decode()) == (False, True)
    for number in range(6):
        machine(f"more-{number}", by=admin)
    assert xml.get("/vms").response.streaming


def test_pieces_are_taken_one_after_the_other_as_they_are_sent() -> None:
    taken: list[int] = []

    def texts() -> Any:
        for number in range(4):
            taken.append(number)
            yield "x" * 300_000

    response = streaming.answer(texts(), "text/plain")
    assert isinstance(response, StreamingHttpResponse)

    @async_to_sync
    async def send() -> list[tuple[int, int]]:
        pieces = cast(AsyncIterator[bytes], response)
        return [(len(piece), len(taken)) async for piece in pieces]

    assert send() == [(300_000, 1), (300_000, 2), (300_000, 3), (300_000, 4)]
