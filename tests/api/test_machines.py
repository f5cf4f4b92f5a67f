"""Making, reading, changing and removing the four kinds, in XML and in JSON."""

from dataclasses import replace
from typing import Any

import pytest

from tests.actions.runs import choosing, down, up
from tests.api.caller import Caller
from tests.factories import headless, machine
from vms.actions import consoles, create, edit
from vms.domain.changes import Changes
from vms.domain.console import HEADLESS, SPICE, SPICE_AND_VNC, VNC, Level, Protocol, Video
from vms.domain.firmware import Firmware
from vms.domain.machine import VmType
from vms.domain.parts import Topology
from vms.domain.runonce import ConsoleChoice
from vms.models import VM, Cluster, Host, InstanceType, Pool, Template, User
from vms.models.machines import BLANK

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

PLACE = {"cluster": {"name": "Default"}, "template": {"name": "Blank"}}
MIB = 1024 * 1024


def console_of(row: Any) -> Any:
    return type(row).objects.get(pk=row.pk).console


def made(api: Caller, path: str, root: str, **tree: Any) -> Any:
    answer = api.post(path, root, {"name": "made", **tree})
    assert answer.status == 201, answer.text
    model: Any = {"vms": VM, "templates": Template, "instancetypes": InstanceType, "vmpools": Pool}[path.strip("/")]
    assert answer.response["Location"] == answer.at("href")
    return model.objects.get(pk=answer.at("id"))


# -- reading


def test_a_headless_machine_has_no_display_at_all(api: Caller, headless_vm: VM) -> None:
    assert api.get(f"/vms/{headless_vm.pk}").at("display") is None


def test_a_machine_with_a_screen_tells_protocol_and_card(api: Caller, vm: VM) -> None:
    display = api.get(f"/vms/{vm.pk}").at("display")
    assert (display["type"], display["video_type"], display["monitors"]) == ("vnc", "vga", "1")


def test_of_two_protocols_spice_is_told(api: Caller, vm: VM, admin: User) -> None:
    consoles.attach(vm, Protocol.SPICE, by=admin)
    assert api.get(f"/vms/{vm.pk}").at("display/type") == "spice"


def test_a_running_machine_tells_where_its_console_listens(api: Caller, vm: VM, host: Host, admin: User) -> None:
    up(vm, host, by=admin)
    told = api.get(f"/vms/{vm.pk}")
    assert (told.at("status"), told.at("display/address"), told.at("display/port")) == ("up", "127.0.0.1", "5900")
    assert told.at("host/id") == str(host.pk)


def test_a_machine_that_is_off_has_no_address_and_no_host(api: Caller, vm: VM, host: Host, admin: User) -> None:
    down(up(vm, host, by=admin), host)
    told = api.get(f"/vms/{vm.pk}")
    assert (told.at("status"), told.at("display/address"), told.at("host")) == ("down", None, None)


def test_run_once_shows_its_screen_until_the_run_ends(api: Caller, headless_vm: VM, host: Host, admin: User) -> None:
    up(headless_vm, host, by=admin, overlay=choosing(ConsoleChoice.VNC))
    told = api.get(f"/vms/{headless_vm.pk}")
    assert (told.at("run_once"), told.at("display/type"), told.at("display/port")) == ("true", "vnc", "5900")
    assert api.get(f"/vms/{headless_vm.pk}?next_run=true").at("display") is None
    down(headless_vm, host)
    assert api.get(f"/vms/{headless_vm.pk}").at("display") is None


def test_a_run_without_a_screen_falls_back_to_what_is_configured(api: Caller, vm: VM, host: Host, admin: User) -> None:
    up(vm, host, by=admin, overlay=choosing(ConsoleChoice.HEADLESS))
    told = api.get(f"/vms/{vm.pk}")
    assert (told.at("display/type"), told.at("display/port")) == ("vnc", None)


def test_what_waits_for_a_restart_is_told_as_the_next_run(api: Caller, vm: VM, host: Host, admin: User) -> None:
    up(vm, host, by=admin)
    assert api.put(f"/vms/{vm.pk}", "vm", {"memory": 2048 * MIB}).status == 200
    now, then = api.get(f"/vms/{vm.pk}"), api.get(f"/vms/{vm.pk};next_run=true")
    assert [told.at("memory") for told in (now, then)] == [str(1024 * MIB), str(2048 * MIB)]
    assert now.at("next_run_configuration_exists") == "true"


def test_a_change_that_is_taken_back_leaves_nothing_pending(api: Caller, vm: VM, host: Host, admin: User) -> None:
    up(vm, host, by=admin)
    api.put(f"/vms/{vm.pk}", "vm", {"memory": 2048 * MIB})
    api.put(f"/vms/{vm.pk}", "vm", {"memory": 1024 * MIB})
    assert api.get(f"/vms/{vm.pk}").at("next_run_configuration_exists") == "false"


def test_clients_that_need_empty_texts_find_them(api: Caller, vm: VM) -> None:
    for path in (f"/vms/{vm.pk}", f"/templates/{BLANK}", f"/clusters/{vm.cluster.pk}"):
        told = api.get(path).tree
        assert {"comment", "description", "name"} <= told.keys()


def test_the_portal_finds_its_single_sign_on_methods(api: Caller, vm: VM) -> None:
    assert api.get(f"/vms/{vm.pk}").at("sso") is not None
    assert "methods" in api.get(f"/vms/{vm.pk}").at("sso")


# -- making


def test_a_machine_takes_what_is_named_and_inherits_the_rest(api: Caller, host: Host) -> None:
    row = made(api, "/vms", "vm", **PLACE, memory=512 * MIB, cpu={"topology": {"cores": 2}}, console={"enabled": True})
    assert (row.spec.memory, row.spec.cpu, row.console.serial) == (512, Topology(cores=2), True)
    assert row.console.graphics == VNC


def test_every_field_of_a_machine_arrives(api: Caller, host: Host) -> None:
    row = made(
        api,
        "/vms",
        "vm",
        **PLACE,
        description="what for",
        comment="a word",
        type="desktop",
        bios={"type": "q35_ovmf"},
        os={"kernel": "vmlinuz", "initrd": "initrd", "cmdline": "quiet"},
        usb={"enabled": True},
        soundcard_enabled=True,
        start_paused=True,
        delete_protected=True,
        stateless=True,
        display={
            "type": "spice",
            "monitors": 4,
            "smartcard_enabled": True,
            "file_transfer_enabled": False,
            "copy_paste_enabled": False,
        },
    )
    spec, console = row.spec, row.console
    assert (row.description, row.comment, row.delete_protected, row.stateless) == ("what for", "a word", True, True)
    assert (spec.vm_type, spec.firmware, spec.start_paused) == (VmType.DESKTOP, Firmware.UEFI, True)
    assert (spec.boot.kernel, spec.boot.initrd, spec.boot.parameters) == ("vmlinuz", "initrd", "quiet")
    assert (console.graphics, console.video, console.monitors) == (SPICE, Video.QXL, 4)
    assert (console.usb, console.smartcard, console.sound) == (True, True, True)
    assert (console.file_transfer, console.copy_paste) == (False, False)


@pytest.mark.parametrize(
    ("display", "graphics", "video"),
    [
        ({}, VNC, Video.VGA),
        ({"type": "vnc"}, VNC, Video.VGA),
        ({"type": "spice"}, SPICE, Video.QXL),
        ({"video_type": "qxl"}, SPICE, Video.QXL),
        ({"video_type": "vga"}, VNC, Video.VGA),
        ({"type": "vnc", "video_type": "qxl"}, VNC, Video.QXL),
        ({"type": "spice", "video_type": "vga"}, VNC, Video.VGA),
        ({"type": "SPICE"}, SPICE, Video.QXL),
    ],
)
def test_the_display_that_a_client_names_becomes_a_pair(
    api: Caller, host: Host, display: dict[str, str], graphics: Any, video: Video
) -> None:
    console = made(api, "/vms", "vm", **PLACE, display=display).console
    assert (console.graphics, console.video) == (graphics, video)


def test_an_empty_list_of_consoles_makes_it_headless_in_one_call(api: Caller, host: Host) -> None:
    assert made(api, "/vms", "vm", **PLACE, graphics_consoles={}).console.headless


def test_a_list_of_consoles_is_what_it_gets(api: Caller, host: Host) -> None:
    listed = {"graphics_console": [{"protocol": "vnc"}, {"protocol": "spice"}]}
    assert made(api, "/vms", "vm", **PLACE, graphics_consoles=listed).console.graphics == SPICE_AND_VNC


def test_a_list_with_an_address_is_only_a_link(api: Caller, host: Host) -> None:
    link = {"href": "/ovirt-engine/api/vms/1/graphicsconsoles"}
    assert not made(api, "/vms", "vm", **PLACE, graphics_consoles=link).console.headless


def test_a_headless_template_hands_down_that_it_is(api: Caller, headless_vm: VM, admin: User) -> None:
    create.template("bare", vm=headless_vm, by=admin)
    place = {**PLACE, "template": {"name": "bare"}}
    assert made(api, "/vms", "vm", **place).console.headless
    shown = api.post("/vms", "vm", {"name": "shown", **place, "display": {"type": "spice"}})
    assert (shown.at("display/type"), shown.at("display/video_type")) == ("spice", "qxl")


def test_the_instance_type_wins_over_the_template(api: Caller, admin: User, host: Host) -> None:
    create.instance_type("bare", changes=Changes(machine={"memory": 256}, console=headless), by=admin)
    row = made(api, "/vms", "vm", **PLACE, instance_type={"name": "bare"})
    assert (row.console.headless, row.memory, row.instance_type.name) == (True, 256, "bare")


def test_on_a_uefi_server_the_screen_is_bochs(api: Caller, host: Host) -> None:
    row = made(api, "/vms", "vm", **PLACE, bios={"type": "q35_ovmf"}, graphics_consoles={})
    api.put(f"/vms/{row.pk}", "vm", {"display": {"type": "vnc"}})
    assert console_of(row).video == Video.BOCHS


def test_a_template_is_made_of_a_machine_with_its_serial_line(api: Caller, headless_vm: VM, admin: User) -> None:
    edit.edit(headless_vm, Changes(console=lambda console, _offer: replace(console, serial=True)), by=admin)
    row = made(api, "/templates", "template", vm={"id": str(headless_vm.pk)})
    assert (row.console.headless, row.console.serial) == (True, True)


def test_a_template_version_has_the_name_of_its_base(api: Caller, vm: VM, admin: User) -> None:
    base = create.template("base", vm=vm, by=admin)
    version = {"base_template": {"id": str(base.pk)}, "version_name": "second"}
    row = made(api, "/templates", "template", vm={"id": str(vm.pk)}, version=version)
    told = api.get(f"/templates/{row.pk}")
    assert (told.at("name"), told.at("version/version_number"), told.at("version/version_name")) == (
        "base",
        "2",
        "second",
    )
    assert told.at("version/base_template/id") == str(base.pk)


def test_a_pool_and_its_machines_may_be_headless_in_one_call(api: Caller, host: Host) -> None:
    row = made(api, "/vmpools", "vm_pool", **PLACE, size=2, type="manual", vm={"graphics_consoles": {}})
    assert [vm.console.headless for vm in row.vms.all()] == [True, True]
    told = api.get(f"/vmpools/{row.pk}")
    assert (told.at("size"), told.at("type"), told.at("display"), told.at("vm/display")) == ("2", "manual", None, None)


def test_a_pool_takes_a_display_like_a_machine(api: Caller, host: Host) -> None:
    row = made(api, "/vmpools", "vm_pool", **PLACE, display={"type": "spice"})
    assert row.vms.get().console.graphics == SPICE


# -- changing


def pages(vm: VM, admin: User) -> dict[str, Any]:
    """One row of each kind that has consoles of its own, by its address."""
    return {
        "vms": vm,
        "templates": create.template("golden", vm=vm, by=admin),
        "instancetypes": create.instance_type("sized", by=admin),
    }


@pytest.mark.parametrize("path", ["vms", "templates", "instancetypes"])
def test_a_display_type_ends_headless_in_one_call(api: Caller, vm: VM, admin: User, path: str) -> None:
    row, root = pages(vm, admin)[path], {"vms": "vm", "templates": "template", "instancetypes": "instance_type"}[path]
    api.put(f"/{path}/{row.pk}", root, {"graphics_consoles": {}})
    assert console_of(row).graphics == HEADLESS
    answer = api.put(f"/{path}/{row.pk}", root, {"display": {"type": "vnc"}})
    assert (answer.status, answer.at("display/video_type")) == (200, "vga")


@pytest.mark.parametrize("path", ["vms", "templates", "instancetypes", "vmpools"])
def test_what_a_get_tells_can_be_put_back_and_changes_nothing(
    api: Caller, vm: VM, admin: User, host: Host, path: str
) -> None:
    row = create.pool("row", cluster=vm.cluster, by=admin) if path == "vmpools" else pages(vm, admin)[path]
    edit.edit(row, Changes(console=lambda console, offer: console.with_graphics(Protocol.SPICE, offer)), by=admin)
    before = type(row).objects.get(pk=row.pk)
    told = api.get(f"/{path}/{row.pk}")
    answer = api.send("put", f"/{path}/{row.pk}", told.text)
    assert answer.status == 200, answer.text
    after = type(row).objects.get(pk=row.pk)
    assert (after.spec, after.version) == (before.spec, before.version)


def test_putting_back_a_run_once_does_not_make_it_last(api: Caller, headless_vm: VM, host: Host, admin: User) -> None:
    up(headless_vm, host, by=admin, overlay=choosing(ConsoleChoice.VNC, keyboard="de"))
    path = f"/vms/{headless_vm.pk}"
    assert api.send("put", path, api.get(path).text).status == 200
    assert console_of(headless_vm).headless
    assert api.get(path).at("next_run_configuration_exists") == "false"


def test_switching_the_serial_line_on_during_a_run_that_has_it_once_makes_it_last(
    api: Caller, headless_vm: VM, host: Host, admin: User
) -> None:
    up(headless_vm, host, by=admin, overlay=choosing(ConsoleChoice.AS_CONFIGURED, serial=True))
    api.put(f"/vms/{headless_vm.pk}", "vm", {"console": {"enabled": True}})
    assert console_of(headless_vm).serial


def test_a_stored_wish_for_usb_survives_a_document_that_is_put_back(api: Caller, vm: VM, admin: User) -> None:
    path = f"/vms/{vm.pk}"
    api.put(path, "vm", {"usb": {"enabled": True}})
    api.put(path, "vm", {"graphics_consoles": {}})
    told = api.get(path)
    assert told.at("usb/enabled") == "false"
    api.send("put", path, told.text)
    assert console_of(vm).wants_usb


@pytest.mark.parametrize("display", [{}, {"monitors": 4}, {"keyboard_layout": "de"}, {"copy_paste_enabled": False}])
def test_settings_of_a_headless_machine_are_kept_and_leave_it_headless(
    api: Caller, headless_vm: VM, display: dict[str, Any]
) -> None:
    answer = api.put(f"/vms/{headless_vm.pk}", "vm", {"display": display})
    assert (answer.status, answer.at("display")) == (200, None)
    stored = console_of(headless_vm)
    assert display.get("monitors", 1) == stored.monitors
    assert display.get("keyboard_layout", "") == stored.keyboard


def test_one_part_of_the_topology_leaves_the_others(api: Caller, vm: VM) -> None:
    api.put(f"/vms/{vm.pk}", "vm", {"cpu": {"topology": {"sockets": 3}}})
    api.put(f"/vms/{vm.pk}", "vm", {"cpu": {"topology": {"cores": 2}}})
    assert VM.objects.get(pk=vm.pk).spec.cpu == Topology(sockets=3, cores=2)


def test_an_empty_instance_type_makes_it_custom(api: Caller, admin: User, host: Host) -> None:
    row = made(api, "/vms", "vm", **PLACE, instance_type={"name": "Tiny"})
    assert api.put(f"/vms/{row.pk}", "vm", {"instance_type": {}}).at("instance_type") is None


def test_another_instance_type_may_be_chosen_by_name(api: Caller, vm: VM) -> None:
    answer = api.put(f"/vms/{vm.pk}", "vm", {"instance_type": {"name": "Tiny"}})
    assert answer.at("memory") == str(512 * MIB)


def test_a_pool_grows_but_does_not_shrink(api: Caller, admin: User, cluster: Cluster, host: Host) -> None:
    pool = create.pool("row", cluster=cluster, size=1, by=admin)
    assert api.put(f"/vmpools/{pool.pk}", "vm_pool", {"size": 3}).at("size") == "3"
    refused = api.put(f"/vmpools/{pool.pk}", "vm_pool", {"size": 2})
    assert (refused.status, pool.size) == (409, 3)


def test_a_machine_of_a_pool_can_be_put_back_unchanged(api: Caller, admin: User, cluster: Cluster, host: Host) -> None:
    member = create.pool("row", cluster=cluster, by=admin).vms.get()
    path = f"/vms/{member.pk}"
    assert api.send("put", path, api.get(path).text).status == 200
    assert api.put(path, "vm", {"memory": 2048 * MIB}).status == 409


def test_bochs_is_refused_below_level_4_5(api: Caller, vm: VM) -> None:
    Cluster.objects.update(level=Level.V4_4.value)
    answer = api.put(f"/vms/{vm.pk}", "vm", {"display": {"video_type": "bochs"}})
    assert answer.status == 400
    assert console_of(vm).video == Video.VGA


# -- removing


def test_what_is_removed_is_gone(api: Caller, vm: VM, admin: User) -> None:
    for path, row in pages(vm, admin).items():
        answer = api.delete(f"/{path}/{row.pk}")
        assert (answer.status, answer.at("status")) == (200, "complete")
        assert api.get(f"/{path}/{row.pk}").status == 404


def test_a_pool_goes_with_its_machines(api: Caller, admin: User, cluster: Cluster, host: Host) -> None:
    pool = create.pool("row", cluster=cluster, size=2, by=admin)
    assert api.delete(f"/vmpools/{pool.pk}").status == 200
    assert not VM.objects.exists()


def test_a_second_machine_does_not_take_the_name(api: Caller, vm: VM, admin: User) -> None:
    other = machine("other", by=admin)
    assert api.put(f"/vms/{other.pk}", "vm", {"name": "web"}).status == 409
    assert VM.objects.get(pk=other.pk).name == "other"
