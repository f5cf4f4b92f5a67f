"""Making machines: what is handed down, what wins, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.factories import headless
from vms.actions import create, places, reports
from vms.actions.edit import edit
from vms.domain.changes import AS_CLUSTER, Changes
from vms.domain.console import HEADLESS, SPICE, SPICE_AND_VNC, VNC, Console, Graphics, Level, Offer, Protocol, Video
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.domain.hosts import Capabilities
from vms.domain.machine import VmType
from vms.domain.parts import Boot, Topology
from vms.models import VM, AuditEvent, Cluster, Device, Host, InstanceType, Job, Permission, Pool, Template, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def showing(graphics: Graphics, video: Video | None = None) -> Changes:
    return Changes(console=lambda console, offer: console.showing(graphics, video or console.video, offer))


def exactly(**columns: Any) -> Changes:
    """A console that somebody asks for as it is, possible or not."""
    return Changes(console=lambda console, _offer: replace(console, **columns))


HEADLESS_ONE = Changes(console=headless)
WITH_SERIAL = exactly(serial=True)


@pytest.fixture
def make(cluster: Cluster, admin: User) -> Callable[..., VM]:
    def made(name: str = "made", **parts: Any) -> VM:
        return create.vm(name, by=admin, **{"cluster": cluster, **parts})

    return made


@pytest.fixture
def template(cluster: Cluster, admin: User) -> Callable[..., Template]:
    def made(changes: Changes = Changes(), name: str = "golden") -> Template:
        return create.template(name, cluster=cluster, changes=changes, by=admin)

    return made


@pytest.fixture
def size(admin: User) -> Callable[..., InstanceType]:
    def made(changes: Changes = Changes(), name: str = "Special") -> InstanceType:
        return create.instance_type(name, changes=changes, by=admin)

    return made


def test_a_machine_made_of_nothing_has_the_clusters_firmware_and_one_of_a_template_has_its_own(
    make: Callable[..., VM], template: Callable[..., Template], cluster: Cluster, admin: User
) -> None:
    own = template(Changes(machine={"firmware": Firmware.I440FX}))
    cluster = places.edit_cluster(cluster, firmware=Firmware.SECURE, by=admin)
    assert make("plain", cluster=cluster).spec.firmware == Firmware.SECURE
    assert make("chosen", cluster=cluster, changes=Changes(machine={"firmware": Firmware.BIOS})).firmware == "bios"
    assert make("handed-down", cluster=cluster, template=own).spec.firmware == Firmware.I440FX
    asked = Changes(machine={"firmware": AS_CLUSTER})
    assert make("asked", cluster=cluster, template=own, changes=asked).spec.firmware == Firmware.SECURE
    assert create.pool("pool", cluster=cluster, by=admin).spec.firmware == Firmware.SECURE
    assert create.template("base", cluster=cluster, by=admin).spec.firmware == Firmware.SECURE


def test_a_tpm_is_refused_where_no_host_of_the_cluster_makes_one(
    make: Callable[..., VM], host: Host, admin: User
) -> None:
    with_tpm = Changes(machine={"firmware": Firmware.UEFI, "tpm": True})
    before = make("before", cluster=host.cluster, changes=with_tpm)
    reports.host_seen(host, Capabilities())
    with pytest.raises(Refusal, match="TPM_DEVICE_REQUESTED_ON_UNSUPPORTED_PLATFORM"):
        make("after", cluster=host.cluster, changes=with_tpm)
    plain = make("plain", cluster=host.cluster)
    with pytest.raises(Refusal, match="TPM_DEVICE_REQUESTED_ON_UNSUPPORTED_PLATFORM"):
        edit(plain, with_tpm, by=admin)
    assert edit(before, Changes(machine={"memory": 512}), by=admin).tpm, "one that has it already keeps it"


def kinds(vm: VM) -> set[str]:
    return set(vm.devices.values_list("kind", flat=True))


# -- what is handed down (engine-behaviour 11: 1, 27 to 31, 63)


def test_blank_hands_down_vnc_and_vga_with_one_monitor(make: Callable[..., VM]) -> None:
    console = make().console
    assert (console.graphics, console.video, console.monitors, console.headless) == (VNC, Video.VGA, 1, False)


def test_a_new_machine_is_down_and_has_its_device_rows(make: Callable[..., VM]) -> None:
    vm = make()
    assert (vm.status, kinds(vm) >= {"graphics", "video"}) == ("down", True)


def test_a_headless_template_makes_a_headless_machine(make: Callable[..., VM], template: Callable[..., Any]) -> None:
    vm = make(template=template(HEADLESS_ONE))
    assert vm.console.headless
    assert kinds(vm).isdisjoint({"graphics", "video"})


def test_a_template_hands_down_all_it_is(make: Callable[..., VM], template: Callable[..., Any]) -> None:
    parts = {
        "memory": 3072,
        "cpu": Topology(sockets=2, cores=3),
        "vm_type": VmType.DESKTOP,
        "firmware": Firmware.UEFI,
        "boot": Boot(kernel="vmlinuz", initrd="initrd", parameters="quiet"),
        "start_paused": True,
    }
    console = Console(graphics=SPICE, video=Video.QXL, monitors=4, serial=True, wants_usb=True, keyboard="de")
    source = template(Changes(machine={**parts, "console": console}))
    spec = make(template=source).spec
    assert {name: getattr(spec, name) for name in (*parts, "console")} == {**parts, "console": console}


def test_what_a_headless_template_showed_before_is_remembered_in_its_machines(
    make: Callable[..., VM], template: Callable[..., Any]
) -> None:
    source = template(Changes(console=lambda console, offer: console.with_display(SPICE, Video.QXL).as_headless()))
    console = make(template=source).console
    assert console.as_graphical(Offer(level=Level.V4_8)).graphics == SPICE


def test_the_size_and_console_of_an_instance_type_win_over_the_template(
    make: Callable[..., VM], template: Callable[..., Any], size: Callable[..., Any]
) -> None:
    source = template(Changes(machine={"memory": 3072, "vm_type": VmType.DESKTOP}))
    chosen = size(
        Changes(machine={"memory": 2048, "cpu": Topology(sockets=2), "vm_type": VmType.SERVER}, console=headless)
    )
    spec = make(template=source, instance_type=chosen).spec
    assert (spec.memory, spec.cpu.total, spec.console.headless, spec.vm_type) == (2048, 2, True, VmType.DESKTOP)


def test_a_headless_instance_type_makes_a_machine_of_a_vnc_template_headless(
    make: Callable[..., VM], template: Callable[..., Any], size: Callable[..., Any]
) -> None:
    assert make(template=template(), instance_type=size(HEADLESS_ONE)).console.headless


def test_a_vnc_instance_type_makes_a_machine_of_a_headless_template_graphical(
    make: Callable[..., VM], template: Callable[..., Any], size: Callable[..., Any]
) -> None:
    assert make(template=template(HEADLESS_ONE), instance_type=size()).console.graphics == VNC


@pytest.mark.parametrize("source", ["template", "instance_type"])
def test_the_serial_console_is_handed_down(
    make: Callable[..., VM], template: Callable[..., Any], size: Callable[..., Any], source: str
) -> None:
    made = template(WITH_SERIAL) if source == "template" else size(WITH_SERIAL)
    vm = make(**{source: made})
    assert (vm.console.serial, "console" in kinds(vm)) == (True, True)


def test_what_is_asked_for_wins_over_what_is_handed_down(
    make: Callable[..., VM], template: Callable[..., Any], size: Callable[..., Any]
) -> None:
    source, chosen = template(HEADLESS_ONE), size(HEADLESS_ONE)
    assert make("one", template=source, changes=showing(SPICE)).console.graphics == SPICE
    assert make("two", template=source, instance_type=chosen, changes=showing(VNC)).console.graphics == VNC
    assert make("three", instance_type=chosen, changes=Changes(machine={"memory": 777})).memory == 777


def test_a_headless_machine_leaves_its_vnc_template_as_it_is(
    make: Callable[..., VM], template: Callable[..., Any]
) -> None:
    source = template()
    assert make(template=source, changes=HEADLESS_ONE).console.headless
    assert Template.objects.get(pk=source.pk).console == source.console


def test_a_template_of_a_headless_machine_is_headless_and_keeps_its_serial_line(
    make: Callable[..., VM], admin: User
) -> None:
    vm = make(changes=Changes(console=lambda console, _offer: replace(console.as_headless(), serial=True)))
    made = create.template("golden", vm=vm, by=admin)
    assert (made.console.headless, made.console.serial, made.cluster) == (True, True, vm.cluster)


def test_a_copy_has_device_ids_of_its_own(make: Callable[..., VM], admin: User) -> None:
    vm = make(changes=HEADLESS_ONE)
    copy = make("copy", template=create.template("golden", vm=vm, by=admin))
    ours, theirs = (set(row.devices.values_list("device_id", flat=True)) for row in (vm, copy))
    assert copy.console == vm.console
    assert ours.isdisjoint(theirs)


def test_a_pool_of_a_headless_template_has_headless_machines(
    cluster: Cluster, admin: User, template: Callable[..., Any]
) -> None:
    pool = create.pool("desk", cluster=cluster, template=template(HEADLESS_ONE), size=3, by=admin)
    assert [(vm.name, vm.console.headless) for vm in pool.vms.order_by("name")] == [
        ("desk-1", True),
        ("desk-2", True),
        ("desk-3", True),
    ]


def test_a_pool_takes_its_console_from_the_instance_type_and_then_from_what_is_asked(
    cluster: Cluster, admin: User, size: Callable[..., Any]
) -> None:
    dark = create.pool("dark", cluster=cluster, instance_type=size(HEADLESS_ONE), by=admin)
    light = create.pool("light", cluster=cluster, instance_type=dark.instance_type, changes=showing(VNC), by=admin)
    assert [pool.vms.get().console.headless for pool in (dark, light)] == [True, False]


@pytest.mark.parametrize("size_asked", [0, -1, 1001])
def test_a_pool_of_an_impossible_size_is_refused(cluster: Cluster, admin: User, size_asked: int) -> None:
    with pytest.raises(Refusal, match="ILLEGAL_VALUE") as refused:
        create.pool("desk", cluster=cluster, size=size_asked, by=admin)
    assert (refused.value.field, Pool.objects.count()) == ("size", 0)


# -- what the cluster has to say


def test_an_inherited_card_that_the_level_does_not_know_is_replaced(
    make: Callable[..., VM], size: Callable[..., Any], cluster: Cluster
) -> None:
    """Instance types know no cluster, so theirs may pair what this one does not (engine-behaviour 1.6)."""
    chosen = size(exactly(video=Video.BOCHS))
    cluster.level = "4.4"
    cluster.save(update_fields=["level"])
    assert make(cluster=cluster, instance_type=chosen).console.video == Video.VGA


def test_a_card_that_is_asked_for_is_refused_rather_than_replaced(make: Callable[..., VM], cluster: Cluster) -> None:
    cluster.level = "4.4"
    cluster.save(update_fields=["level"])
    with pytest.raises(Refusal, match="NOT_SUPPORTED_BY_OS") as refused:
        make(cluster=cluster, changes=exactly(video=Video.BOCHS))
    assert refused.value.field == "video_type"


def test_where_no_host_offers_graphics_only_a_headless_machine_is_made(
    make: Callable[..., VM], bare_cluster: Cluster
) -> None:
    with pytest.raises(Refusal, match="NO_HOST_OFFERS_GRAPHICS") as refused:
        make("bright", cluster=bare_cluster)
    assert refused.value.field == "protocol"
    assert make("dark", cluster=bare_cluster, changes=HEADLESS_ONE).console.headless


def test_where_no_host_offers_spice_it_is_refused_whoever_asks_for_it(
    make: Callable[..., VM], template: Callable[..., Any], vnc_cluster: Cluster
) -> None:
    source = template(showing(SPICE))
    with pytest.raises(Refusal, match="NO_HOST_OFFERS_PROTOCOL") as inherited:
        make("one", cluster=vnc_cluster, template=source)
    with pytest.raises(Refusal, match="NO_HOST_OFFERS_PROTOCOL") as asked:
        make("two", cluster=vnc_cluster, changes=showing(SPICE_AND_VNC))
    assert (inherited.value.field, asked.value.params["protocol"]) == ("protocol", "SPICE")
    assert make("three", cluster=vnc_cluster, template=source, changes=HEADLESS_ONE).console.headless


# -- bad input: refused with the field, and nothing is done


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        (exactly(video=None), "DISPLAY_TYPE_IS_NOT_SUPPORTED", "video_type"),
        (exactly(graphics=HEADLESS), "DISPLAY_TYPE_IS_NOT_SUPPORTED", "video_type"),
        (exactly(graphics=SPICE, video=Video.VGA), "DISPLAY_TYPE_IS_NOT_SUPPORTED", "video_type"),
        (exactly(monitors=2), "ILLEGAL_NUM_OF_MONITORS", "monitors"),
        (exactly(graphics=SPICE, video=Video.QXL, monitors=3), "ILLEGAL_NUM_OF_MONITORS", "monitors"),
        (exactly(keyboard="klingon"), "INVALID_KEYBOARD_LAYOUT", "keyboard"),
        (Changes(machine={"memory": 63}), "ILLEGAL_VALUE", "memory"),
        (Changes(console=lambda console, offer: console.with_graphics(Protocol.VNC, offer)), "ONLY_ONE", "protocol"),
        (Changes(attributes={"status": "up"}), "ILLEGAL_VALUE", "status"),
        (Changes(attributes={"version_name": "2"}), "ILLEGAL_VALUE", "version_name"),
        (Changes(attributes={"description": "x" * 4001}), "ILLEGAL_VALUE", "description"),
        (Changes(attributes={"comment": "nul \0 inside"}), "ILLEGAL_VALUE", "comment"),
        (Changes(attributes={"comment": "half a \ud800 pair"}), "ILLEGAL_VALUE", "comment"),
        (Changes(machine={"boot": Boot(kernel="k", parameters="x" * 2001)}), "ILLEGAL_VALUE", "parameters"),
        (Changes(machine={"boot": Boot(kernel="k" * 256)}), "ILLEGAL_VALUE", "kernel"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field_and_nothing_is_left(
    make: Callable[..., VM], changes: Changes, code: str, field: str
) -> None:
    events = AuditEvent.objects.count()
    with pytest.raises(Refusal, match=code) as refused:
        make(changes=changes)
    assert refused.value.field == field
    left = (VM.objects.count(), Device.objects.filter(vm__isnull=False).count(), AuditEvent.objects.count())
    assert left == (0, 0, events)


@pytest.mark.parametrize("name", ["", " ", "a b", "../etc", "ä", "x" * 65, "a\n", "-a", "a\0"])
def test_a_name_that_nobody_could_use_is_refused(make: Callable[..., VM], name: str) -> None:
    with pytest.raises(Refusal, match="INVALID_CHARACTERS_IN_NAME") as refused:
        make(name)
    assert refused.value.field == "name"


@pytest.mark.parametrize("kind", ["vm", "template", "pool", "instance_type"])
def test_a_name_is_used_once_within_its_kind(cluster: Cluster, admin: User, kind: str) -> None:
    make = getattr(create, kind)
    where = {} if kind == "instance_type" else {"cluster": cluster}
    make("web", by=admin, **where)
    with pytest.raises(Refusal, match="NAME_ALREADY_USED") as refused:
        make("web", by=admin, **where)
    assert refused.value.field == "name"


def test_a_pool_whose_machines_names_are_taken_is_not_half_made(make: Callable[..., VM], admin: User) -> None:
    make("desk-2")
    with pytest.raises(Refusal, match="NAME_ALREADY_USED"):
        create.pool("desk", cluster=Cluster.objects.get(), size=3, by=admin)
    assert (Pool.objects.count(), VM.objects.count()) == (0, 1)


def test_a_name_that_reads_like_another_fault_is_still_a_name(make: Callable[..., VM]) -> None:
    make("one_exclusive_job_per_machine")
    with pytest.raises(Refusal, match="NAME_ALREADY_USED"):
        make("one_exclusive_job_per_machine")


# -- beside the machine


def test_whoever_makes_a_machine_owns_it(cluster: Cluster, carol: User) -> None:
    from tests.factories import person

    person("carol", role="UserVmManager", cluster=cluster)
    vm = create.vm("mine", cluster=cluster, by=carol)
    assert Permission.objects.get(vm=vm).role.name == "UserVmManager"
    assert Permission.objects.get(vm=vm).user == carol


def test_making_machines_asks_nothing_of_the_engine(make: Callable[..., VM]) -> None:
    make()
    assert Job.objects.count() == 0
