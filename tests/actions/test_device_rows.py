"""The rows of devices are what the machine says, after anything that can happen to it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.actions.runs import choosing, down, fresh, settled, started, tell, up
from tests.examples import examples
from tests.factories import headless, machine, person
from tests.models.values import consoles
from vms.actions import consoles as graphics_consoles
from vms.actions import create, power
from vms.actions.edit import edit
from vms.domain.changes import Changes
from vms.domain.console import Console, Protocol, Video
from vms.domain.devices import devices
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.domain.hosts import Ended
from vms.domain.lifecycle import Status
from vms.domain.machine import MachineSpec
from vms.domain.runonce import ConsoleChoice
from vms.models import VM, Device, Hardware, Host, InstanceType, Pool, Scope, Template, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

Row = tuple[Any, ...]


def written(row: Any, scope: Scope = Scope.CONFIGURED) -> list[Row]:
    columns = ("device_id", "kind", "model", "params", "address", "position")
    return list(row.devices.filter(scope=scope).order_by("position").values_list(*columns))


def meant(spec: MachineSpec | None) -> list[Row]:
    return (
        [
            (one.id, one.kind.value, one.model, one.params, dict(spec.addresses.get(one.alias, {})), position)
            for position, one in enumerate(devices(spec))
        ]
        if spec
        else []
    )


def run_spec(vm: VM) -> MachineSpec | None:
    return vm.run.spec if vm.run else None


class AnythingThatHappens(RuleBasedStateMachine):
    """A machine, its people and its host, in any order; a refusal is an answer, too."""

    admin: User
    host: Host
    number = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).number += 1
        self.vm = machine(f"vm{self.number}", by=self.admin)

    def attempt(self, act: Callable[[], object]) -> None:
        with suppress(Refusal):
            act()
        settled(self.vm, self.host)
        self.vm = fresh(self.vm)

    @rule(console=consoles())
    def configure(self, console: Console) -> None:
        self.attempt(lambda: edit(self.vm, Changes(console=lambda _console, _offer: console), by=self.admin))

    @rule()
    def tick_the_box(self) -> None:
        self.attempt(lambda: edit(self.vm, Changes(console=headless), by=self.admin))

    @rule()
    def untick_the_box(self) -> None:
        self.attempt(
            lambda: edit(self.vm, Changes(console=lambda console, offer: console.as_graphical(offer)), by=self.admin)
        )

    @rule(protocol=st.sampled_from(Protocol))
    def attach(self, protocol: Protocol) -> None:
        self.attempt(lambda: graphics_consoles.attach(self.vm, protocol, by=self.admin))

    @rule(protocol=st.sampled_from(Protocol))
    def detach(self, protocol: Protocol) -> None:
        self.attempt(lambda: graphics_consoles.detach(self.vm, protocol, by=self.admin))

    @rule(parts=st.fixed_dictionaries({"memory": st.integers(64, 128), "firmware": st.sampled_from(Firmware)}))
    def change_something_else(self, parts: dict[str, Any]) -> None:
        self.attempt(lambda: edit(self.vm, Changes(machine=parts), by=self.admin))

    @precondition(lambda self: self.vm.status == "down")
    @rule(choice=st.sampled_from(ConsoleChoice), serial=st.none() | st.booleans())
    def run_once(self, choice: ConsoleChoice, serial: bool | None) -> None:
        def act() -> None:
            power.run_once(self.vm, choosing(choice, serial=serial), by=self.admin)
            started(self.vm, self.host)

        self.attempt(act)

    @precondition(lambda self: self.vm.status == "down")
    @rule(slot=st.integers(1, 9))
    def start_and_learn_an_address(self, slot: int) -> None:
        def act() -> None:
            power.start(self.vm, by=self.admin)
            alias = devices(self.vm.spec)[-1].alias
            started(self.vm, self.host, addresses={alias: {"type": "pci", "slot": f"0x{slot:02x}"}})

        self.attempt(act)

    @precondition(lambda self: self.vm.status == "up")
    @rule()
    def suspend(self) -> None:
        tell(self.vm, self.host, Status.SUSPENDED, ended=Ended.SAVED)
        self.vm = fresh(self.vm)

    @precondition(lambda self: self.vm.status in {"up", "suspended"})
    @rule(ended=st.sampled_from([Ended.GUEST, Ended.CRASHED, Ended.STOPPED]))
    def end(self, ended: Ended) -> None:
        self.vm = down(self.vm, self.host, ended)

    @invariant()
    def the_rows_of_the_configuration_are_its_devices(self) -> None:
        assert written(self.vm) == meant(self.vm.spec)

    @invariant()
    def the_rows_of_the_run_are_its_devices(self) -> None:
        assert written(self.vm, Scope.RUNNING) == meant(run_spec(self.vm))

    @invariant()
    def a_card_is_there_exactly_where_graphics_are(self) -> None:
        for scope in Scope:
            kinds = set(self.vm.devices.filter(scope=scope).values_list("kind", flat=True))
            assert ("graphics" in kinds) == ("video" in kinds)

    @invariant()
    def what_is_pending_is_what_the_lists_say(self) -> None:
        assert self.vm.pending == bool(self.vm.pending_changes)


@pytest.mark.hypothesis
def test_after_any_sequence_of_actions_the_rows_are_the_devices(admin: User, host: Host) -> None:
    AnythingThatHappens.admin, AnythingThatHappens.host = admin, host
    # Not shrunk: with a database at every step that takes longer than reading what was found.
    short = settings(
        examples(5),
        stateful_step_count=20,
        phases=[Phase.reuse, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(AnythingThatHappens, settings=short)


KINDS = ["vm", "template", "pool", "instance_type"]


@pytest.fixture(params=KINDS)
def row(request: pytest.FixtureRequest, host: Host, admin: User) -> Hardware:
    where = {} if request.param == "instance_type" else {"cluster": host.cluster}
    made: Hardware = getattr(create, request.param)("web", by=admin, **where)
    return made


def test_every_kind_has_the_rows_of_its_devices(row: Hardware, admin: User) -> None:
    assert written(row) == meant(row.spec)
    edit(row, Changes(console=headless), by=admin)
    row = type(row)._default_manager.get(pk=row.pk)
    assert written(row) == meant(row.spec)


def test_what_stays_keeps_its_row(row: Any, admin: User) -> None:
    """A client that holds on to a device finds it again."""
    edit(row, Changes(machine={"memory": 2048}), by=admin)
    before = dict(row.devices.values_list("device_id", "key"))
    edit(row, Changes(console=lambda console, _offer: replace(console, keyboard="de")), by=admin)
    after = dict(row.devices.values_list("device_id", "key"))
    assert set(after) == set(before)
    (changed,) = (key for key in before if before[key] != after[key])
    assert row.devices.get(device_id=changed).kind == "graphics"


def test_rows_that_somebody_has_spoiled_are_made_anew(row: Any, admin: User, host: Host) -> None:
    spoiled = row.devices.get(kind="video")
    row.devices.exclude(pk=spoiled.pk).delete()
    row.devices.update(model="cirrus", position=9)
    call_command("rebuild", verbosity=0)
    assert written(row) == meant(row.spec)


def test_rebuilding_covers_every_machine_and_what_runs(
    vm: VM, headless_vm: VM, host: Host, admin: User, capsys: pytest.CaptureFixture[str]
) -> None:
    create.pool("desk", cluster=host.cluster, size=2, by=admin)
    up(headless_vm, host, by=admin, overlay=choosing(ConsoleChoice.VNC))
    everything = sorted(Device.objects.values_list("device_id", "scope", "kind", "model", "position"))
    Device.objects.all().delete()
    call_command("rebuild")
    assert sorted(Device.objects.values_list("device_id", "scope", "kind", "model", "position")) == everything
    count = sum(kind._default_manager.count() for kind in (VM, Template, Pool, InstanceType))
    assert capsys.readouterr().out == f"{count} machines\n"


def test_nothing_is_written_when_nothing_is_different(vm: VM, django_assert_num_queries: Any) -> None:
    from vms.actions._devices import sync_devices

    vm = VM.objects.select_related("cluster").get(pk=vm.pk)
    with django_assert_num_queries(3) as queries:  # the cards, and the rows of both scopes
        sync_devices(vm)
    assert {query["sql"].split()[0] for query in queries.captured_queries} == {"SELECT"}


def test_a_run_once_changes_no_configured_row(headless_vm: VM, host: Host, admin: User) -> None:
    before = written(headless_vm)
    running = up(headless_vm, host, by=admin, overlay=choosing(ConsoleChoice.VNC))
    kinds = {row[1] for row in written(running, Scope.RUNNING)}
    assert kinds >= {"graphics", "video"}
    assert written(running) == before
    assert (written(down(running, host)), written(running, Scope.RUNNING)) == (before, [])


def test_the_same_device_has_the_same_id_configured_and_running(vm: VM, host: Host, admin: User) -> None:
    running = up(vm, host, by=admin)
    configured, present = ({row[0] for row in written(running, scope)} for scope in Scope)
    assert configured == present


def test_a_card_of_an_intruder_is_no_card_of_ours(vm: VM, host: Host, admin: User) -> None:
    """Addresses of devices that are not ours (a host's own controllers) are not kept."""
    video = next(one for one in devices(vm.spec) if one.model == Video.VGA)
    ours, theirs = {"type": "pci", "slot": "0x01"}, {"type": "pci", "slot": "0x02"}
    after = up(vm, host, by=admin, addresses={video.alias: ours, "pci.1": theirs})
    assert after.pinned == {"machine": "pc-q35-7.2", "addresses": {video.alias: ours}}
    assert after.devices.get(scope="configured", kind="video").address == ours


def test_what_the_first_start_chose_stays(vm: VM, host: Host, admin: User) -> None:
    video = next(one for one in devices(vm.spec) if one.model == Video.VGA)
    first = up(vm, host, by=admin, addresses={video.alias: {"slot": "0x01"}})
    edit(first, Changes(console=headless), by=admin)
    settled(first, host)
    down(first, host)
    dark = up(vm, host, by=admin, addresses={})
    assert dark.pinned["addresses"] == {video.alias: {"slot": "0x01"}}
    assert (dark.spec.machine, dark.spec.addresses) == ("pc-q35-7.2", {video.alias: {"slot": "0x01"}})


def test_somebody_who_may_only_use_it_changes_no_row(vm: VM) -> None:
    bob, before = person("bob", role="UserRole", vm=vm), written(vm)
    with pytest.raises(Refusal):
        graphics_consoles.detach(vm, Protocol.VNC, by=bob)
    assert written(vm) == before
