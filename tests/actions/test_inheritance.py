"""What one thing hands down to another, and when: the display with its devices, sizes with their instance type."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.actions.runs import down, fresh, settled, up
from tests.factories import headless
from vms.actions import consoles, create
from vms.actions.edit import edit
from vms.domain.changes import Changes
from vms.domain.console import SPICE, SPICE_AND_VNC, VNC, Console, Protocol, Video
from vms.domain.devices import devices
from vms.domain.parts import Topology
from vms.models import VM, AuditEvent, Cluster, Hardware, Host, InstanceType, Job, Pool, Template, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

DARK = Changes(console=headless)
DARK_WITH_SERIAL = Changes(console=lambda console, _offer: replace(console.as_headless(), serial=True))
BRIGHT = Changes(console=lambda console, offer: console.as_graphical(offer))
SHOWING_SPICE = Changes(console=lambda console, offer: console.showing(SPICE, None, offer))


@pytest.fixture
def make(cluster: Cluster, host: Host, admin: User) -> Callable[..., Any]:
    """Any kind of machine, by the name of its action."""

    def made(kind: str, name: str = "made", **parts: Any) -> Any:
        where = {} if kind == "instance_type" else {"cluster": cluster}
        return getattr(create, kind)(name, by=admin, **{**where, **parts})

    return made


def shown(row: Hardware) -> tuple[set[str], set[str]]:
    """The protocols and cards that its device rows have."""
    rows = list(row.devices.filter(scope="configured").values_list("kind", "model"))  # type: ignore[attr-defined]
    return {model for kind, model in rows if kind == "graphics"}, {model for kind, model in rows if kind == "video"}


def whole(row: Hardware) -> bool:
    """Whether the display and the device rows say the same."""
    row = type(row)._default_manager.get(pk=row.pk)
    rows = list(
        row.devices.filter(scope="configured").order_by("position").values_list("device_id", "model")  # type: ignore[attr-defined]
    )
    video = {row.console.video.value} if row.console.video else set()
    graphics = {protocol.value for protocol in row.console.graphics}
    return rows == [(one.id, one.model) for one in devices(row.spec)] and shown(row) == (graphics, video)


# -- the flows of engine-behaviour 2.4, each with a headless and with a graphical source (11: 27 to 33, 63)


def of_template(make: Callable[..., Any], source: Changes, changes: Changes) -> Hardware:
    row: Hardware = make("vm", template=make("template", "source", changes=source), changes=changes)
    return row


def of_instance_type(make: Callable[..., Any], source: Changes, changes: Changes) -> Hardware:
    row: Hardware = make("vm", instance_type=make("instance_type", "source", changes=source), changes=changes)
    return row


def of_both(make: Callable[..., Any], source: Changes, changes: Changes) -> Hardware:
    """The template shows the opposite, and has no say."""
    bright = make("template", "other", changes=SHOWING_SPICE if source is DARK_WITH_SERIAL else DARK)
    chosen = make("instance_type", "source", changes=source)
    row: Hardware = make("vm", template=bright, instance_type=chosen, changes=changes)
    return row


def template_of_machine(make: Callable[..., Any], source: Changes, changes: Changes) -> Hardware:
    row: Hardware = make("template", vm=make("vm", "source", changes=source), changes=changes)
    return row


def version_of_machine(make: Callable[..., Any], source: Changes, changes: Changes) -> Hardware:
    base = make("template", "base")
    row: Hardware = make("template", base=base, vm=make("vm", "source", changes=source), changes=changes)
    return row


def clone(make: Callable[..., Any], source: Changes, changes: Changes) -> Hardware:
    vm = make("vm", "source", changes=source)
    return create.clone(vm, "made", changes=changes, by=User.objects.get(username="admin"))


def pool(make: Callable[..., Any], source: Changes, changes: Changes) -> Hardware:
    row: Hardware = make("pool", template=make("template", "source", changes=source), changes=changes)
    return row


def machine_of_pool(make: Callable[..., Any], source: Changes, changes: Changes) -> Hardware:
    made = pool(make, source, changes)
    assert isinstance(made, Pool)
    return made.vms.get()


FLOWS = [
    *(of_template, of_instance_type, of_both, template_of_machine, version_of_machine),
    *(clone, pool, machine_of_pool),
]


@pytest.mark.parametrize("flow", FLOWS)
def test_headless_and_the_serial_line_are_handed_down(make: Callable[..., Any], flow: Callable[..., Any]) -> None:
    made = flow(make, DARK_WITH_SERIAL, Changes())
    assert (made.console.headless, made.console.video, made.console.serial) == (True, None, True)
    assert whole(made)


@pytest.mark.parametrize("flow", FLOWS)
def test_what_a_headless_source_showed_before_is_handed_down(
    make: Callable[..., Any], flow: Callable[..., Any]
) -> None:
    source = Changes(console=lambda console, offer: console.showing(SPICE, None, offer).as_headless())
    made = flow(make, source, Changes())
    assert made.console.as_graphical(made.offer()).graphics == SPICE


@pytest.mark.parametrize("flow", FLOWS)
def test_a_screen_is_handed_down_with_its_card(make: Callable[..., Any], flow: Callable[..., Any]) -> None:
    made = flow(make, SHOWING_SPICE, Changes())
    assert (made.console.graphics, made.console.video) == (SPICE, Video.QXL)
    assert whole(made)


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize(
    ("asked", "graphics"),
    [
        (SHOWING_SPICE, SPICE),
        (Changes(console=lambda console, offer: console.showing(VNC, Video.VGA, offer)), VNC),
        (Changes(console=lambda console, offer: console.showing(SPICE_AND_VNC, None, offer)), SPICE_AND_VNC),
        (Changes(console=lambda console, offer: console.with_graphics(Protocol.VNC, offer)), VNC),
    ],
)
def test_a_screen_that_is_asked_for_wins_over_a_headless_source(
    make: Callable[..., Any], flow: Callable[..., Any], asked: Changes, graphics: frozenset[Protocol]
) -> None:
    made = flow(make, DARK, asked)
    assert made.console.graphics == graphics
    assert whole(made)


@pytest.mark.parametrize("flow", FLOWS)
def test_headless_that_is_asked_for_wins_and_leaves_the_source(
    make: Callable[..., Any], flow: Callable[..., Any]
) -> None:
    made = flow(make, Changes(), DARK)
    assert made.console.headless
    assert whole(made)
    for kind in (VM, Template, InstanceType):
        assert not any(row.console.headless for row in kind._default_manager.filter(name="source"))


@pytest.mark.parametrize("kind", ["vm", "template", "pool", "instance_type"])
def test_a_console_comes_and_goes_with_its_card_on_every_kind(make: Callable[..., Any], admin: User, kind: str) -> None:
    row = make(kind)
    dark = consoles.detach(row, Protocol.VNC, by=admin)
    assert (dark.console.headless, whole(dark)) == (True, True)
    bright = consoles.attach(dark, Protocol.SPICE, by=admin)
    assert (bright.console.graphics, bright.console.video, whole(bright)) == (SPICE, Video.QXL, True)


# -- instance types: the size is theirs for as long as a machine is linked, the console is not (11: 67, 68)


@pytest.fixture
def odd(make: Callable[..., Any]) -> InstanceType:
    row: InstanceType = make("instance_type", "Odd", changes=Changes(machine={"memory": 640}))
    return row


@pytest.fixture
def linked(make: Callable[..., Any], odd: InstanceType) -> VM:
    row: VM = make("vm", "web", instance_type=odd)
    return row


@pytest.mark.parametrize(
    "changes",
    [
        DARK,
        DARK_WITH_SERIAL,
        SHOWING_SPICE,
        Changes(console=lambda console, _offer: replace(console, keyboard="de", wants_usb=True, wants_sound=True)),
    ],
)
def test_an_edit_of_an_instance_types_console_reaches_no_machine(
    linked: VM, odd: InstanceType, make: Callable[..., Any], admin: User, changes: Changes
) -> None:
    fleet = make("pool", "desk", instance_type=odd)
    before = [(vm.pk, vm.spec, vm.version) for vm in VM.objects.order_by("pk")]
    edit(odd, changes, by=admin)
    assert [(vm.pk, vm.spec, vm.version) for vm in VM.objects.order_by("pk")] == before
    assert Pool.objects.get().console == fleet.console
    assert all(whole(vm) for vm in VM.objects.all())


def test_a_console_that_is_taken_from_an_instance_type_stays_at_its_machines(
    linked: VM, odd: InstanceType, admin: User
) -> None:
    consoles.detach(odd, Protocol.VNC, by=admin)
    assert (fresh(linked).console.graphics, fresh(linked).instance_type) == (VNC, odd)


def test_the_size_of_an_instance_type_reaches_its_machines_and_pools_without_its_console(
    linked: VM, odd: InstanceType, make: Callable[..., Any], admin: User
) -> None:
    make("pool", "desk", instance_type=odd)
    other = make("vm", "other")
    edit(odd, Changes(machine={"memory": 1280, "cpu": Topology(sockets=2, cores=2)}, console=headless), by=admin)
    for row in (fresh(linked), Pool.objects.get(), VM.objects.get(name="desk-1")):
        assert (row.memory, row.spec.cpu.total, row.console.graphics) == (1280, 4, VNC)
        assert whole(row)
    assert fresh(other).memory == 1024


def test_a_running_machine_has_its_new_size_with_the_next_start(
    linked: VM, odd: InstanceType, host: Host, admin: User
) -> None:
    up(linked, host, by=admin)
    edit(odd, Changes(machine={"memory": 1280}, console=headless), by=admin)
    running = fresh(linked)
    assert (running.pending_changes, running.running_graphics) == (("memory",), "vnc")
    again = up(down(settled(linked, host), host), host, by=admin)
    assert (again.pending, again.run.spec.memory if again.run else None, again.running_graphics) == (
        False,
        1280,
        "vnc",
    )


def test_a_running_machine_is_told_what_its_next_reboot_does(
    linked: VM, odd: InstanceType, host: Host, admin: User
) -> None:
    up(linked, host, by=admin)
    edit(odd, Changes(machine={"memory": 1280}), by=admin)
    assert [job.verb for job in Job.objects.filter(state="queued")] == ["set_reboot"]


def test_a_machine_of_a_pool_has_the_size_although_it_is_changed_in_its_pool(
    odd: InstanceType, make: Callable[..., Any], admin: User
) -> None:
    make("pool", "desk", instance_type=odd)
    edit(odd, Changes(machine={"memory": 1280}), by=admin)
    assert VM.objects.get(name="desk-1").memory == 1280


def test_what_an_instance_type_did_is_told_at_each_machine(linked: VM, odd: InstanceType, admin: User) -> None:
    edit(odd, Changes(machine={"memory": 1280}), by=admin)
    event = AuditEvent.objects.get(code="USER_UPDATE_VM")
    assert (event.actor, event.before, event.after) == (admin, {"memory": 640}, {"memory": 1280})
    assert event.params == {"instance_type": "Odd"}


@pytest.mark.parametrize("parts", [{"memory": 700}, {"cpu": Topology(sockets=2)}, {"cpu": Topology(threads=2)}])
def test_a_size_of_its_own_makes_the_instance_type_custom(
    linked: VM, odd: InstanceType, admin: User, parts: dict[str, Any]
) -> None:
    assert edit(linked, Changes(machine=parts), by=admin).instance_type is None
    edit(odd, Changes(machine={"memory": 1280}), by=admin)
    assert fresh(linked).memory == parts.get("memory", 640)


@pytest.mark.parametrize(
    "changes",
    [
        DARK,
        SHOWING_SPICE,
        DARK_WITH_SERIAL,
        Changes(machine={"start_paused": True}),
        Changes(machine={"memory": 640, "cpu": Topology()}),
        Changes(attributes={"comment": "mine"}),
    ],
)
def test_nothing_but_a_size_makes_it_custom(linked: VM, odd: InstanceType, admin: User, changes: Changes) -> None:
    assert edit(linked, changes, by=admin).instance_type == odd


def test_a_machine_can_be_linked_again(linked: VM, odd: InstanceType, admin: User) -> None:
    edit(linked, Changes(machine={"memory": 700}, console=headless), by=admin)
    again = edit(linked, Changes(attributes={"instance_type": odd}), by=admin)
    assert (again.instance_type, again.memory, again.console.graphics) == (odd, 640, VNC)


def test_a_size_that_is_asked_for_with_an_instance_type_makes_it_custom(
    make: Callable[..., Any], odd: InstanceType, admin: User
) -> None:
    """What is linked has the size of its link; anything else would be overwritten with the next edit of it."""
    asked = Changes(machine={"memory": 700})
    made, fleet = make("vm", instance_type=odd, changes=asked), make("pool", "desk", instance_type=odd, changes=asked)
    chosen = replace(asked, attributes={"instance_type": odd})
    edited, same = (edit(vm, chosen, by=admin) for vm in (make("vm", "other"), make("vm", "same", changes=asked)))
    for row in (made, fleet, fleet.vms.get(), edited, same):
        assert (row.instance_type, row.memory) == (None, 700)


def test_a_pool_of_another_size_is_custom_for_the_machines_it_gets(
    make: Callable[..., Any], odd: InstanceType, admin: User
) -> None:
    fleet = make("pool", "desk", instance_type=odd)
    edit(fleet, Changes(machine={"memory": 700}, attributes={"size": 2}), by=admin)
    assert [(vm.instance_type, vm.memory) for vm in fleet.vms.order_by("name")] == [(odd, 640), (None, 700)]


def test_a_memory_that_is_named_as_it_is_by_a_function_keeps_the_link(
    linked: VM, odd: InstanceType, admin: User
) -> None:
    """As the REST door names parts of the CPU."""
    same = Changes(machine={"cpu": lambda spec: replace(spec.cpu, cores=1)})
    assert edit(linked, same, by=admin).instance_type == odd


# -- templates hand down when something is made, and never afterwards


def test_an_edit_of_a_template_reaches_no_machine(make: Callable[..., Any], admin: User) -> None:
    source = make("template", "source")
    vm, fleet = make("vm", template=source), make("pool", "desk", template=source)
    edit(source, Changes(machine={"memory": 4096}, console=headless), by=admin)
    for row in (fresh(vm), fleet.vms.get(), Pool.objects.get()):
        assert (row.memory, row.console.graphics, whole(row)) == (1024, VNC, True)


def test_a_machine_that_is_edited_leaves_the_template_that_was_made_of_it(
    make: Callable[..., Any], admin: User
) -> None:
    vm = make("vm", changes=DARK)
    source = make("template", "source", vm=vm)
    edit(vm, BRIGHT, by=admin)
    assert Template.objects.get(pk=source.pk).console.headless


def test_a_template_of_a_machine_that_runs_otherwise_is_as_the_machine_is_configured(
    make: Callable[..., Any], admin: User, host: Host
) -> None:
    vm = up(make("vm"), host, by=admin)
    edit(vm, DARK, by=admin)
    source = make("template", "source", vm=fresh(vm))
    assert (fresh(vm).running_graphics, source.console.headless, whole(source)) == ("vnc", True, True)


def test_a_console_is_one_value_however_far_it_travels(make: Callable[..., Any], admin: User) -> None:
    """Machine → template → version → pool → machine → clone: nothing is lost on the way."""
    console = Console(graphics=SPICE, video=Video.QXL, monitors=2, serial=True, wants_usb=True, keyboard="de")
    vm = make("vm", "first", changes=Changes(machine={"console": console.as_headless()}))
    base = make("template", "golden", vm=vm)
    version = make("template", "golden", base=base)
    member = make("pool", "desk", template=version).vms.get()
    last = create.clone(member, "last", by=admin)
    assert last.console == console.as_headless()
    bright = edit(last, BRIGHT, by=admin)
    assert (replace(bright.console, before=None), whole(bright)) == (console, True)
