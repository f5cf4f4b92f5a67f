"""Every element that clients may write of a machine: stored, told as it came, and no change when it comes again."""

from dataclasses import fields
from typing import Any
from uuid import uuid4

import pytest

from tests.actions.runs import up
from tests.api.caller import Caller
from vms.actions import create
from vms.api.mapping import kept, vm, vm_pool
from vms.api.mapping.fields import Field
from vms.api.mapping.hardware import AT_ONCE, CONSOLE_AT_ONCE, NOT_OFFERED
from vms.domain.console import Console
from vms.domain.machine import MachineSpec
from vms.domain.parts import SerialPolicy, WatchdogAction
from vms.models import VM, AuditEvent, Host, Pool, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

GIB = 1024**3
ROOTS = {"vms": "vm", "templates": "template", "instancetypes": "instance_type"}
# Everything at once; of two that exclude each other one is in `OTHERWISE`.
EVERYTHING: dict[str, Any] = {
    "description": "what for",
    "comment": "a word",
    "delete_protected": True,
    "memory": 2 * GIB,
    "memory_policy": {"guaranteed": GIB, "max": 4 * GIB, "ballooning": False},
    "cpu": {
        "topology": {"cores": 2, "sockets": 2, "threads": 1},
        "cpu_tune": {"vcpu_pins": {"vcpu_pin": [{"cpu_set": "0", "vcpu": 0}, {"cpu_set": "1-2", "vcpu": 1}]}},
    },
    "custom_cpu_model": "Haswell",
    "custom_emulated_machine": "pc-q35-7.2",
    "cpu_shares": 512,
    "io": {"threads": 2},
    "type": "desktop",
    "bios": {"type": "q35_ovmf", "boot_menu": {"enabled": True}},
    "os": {
        "type": "debian_12",
        "kernel": "vmlinuz",
        "initrd": "initrd",
        "cmdline": "quiet",
        "boot": {"devices": {"device": ["network", "hd"]}},
    },
    "time_zone": {"name": "Europe/Berlin"},
    "serial_number": {"policy": "custom", "value": "A-1"},
    "high_availability": {"enabled": True, "priority": 50},
    "rng_device": {"source": "hwrng", "rate": {"bytes": 1024, "period": 1000}},
    "start_paused": True,
    "custom_properties": {"custom_property": [{"name": "hugepages", "value": "2048"}]},
    "placement_policy": {"affinity": "pinned"},
    "console": {"enabled": True, "recording": "always"},
    "usb": {"enabled": True},
    "soundcard_enabled": True,
    "sso": {"methods": {}},
    "display": {
        "type": "spice",
        "video_type": "qxl",
        "monitors": 4,
        "keyboard_layout": "de",
        "disconnect_action": "SHUTDOWN",
        "disconnect_action_delay": 5,
        "allow_override": True,
        "proxy": "http://proxy:3128",
        "smartcard_enabled": True,
        "file_transfer_enabled": False,
        "copy_paste_enabled": False,
    },
    "auto_pinning_policy": "disabled",
    "cpu_pinning_policy": "manual",
    "custom_compatibility_version": {"major": 4, "minor": 7},
    "migration": {"auto_converge": "inherit", "compressed": "true", "encrypted": "false"},
    "migration_downtime": 500,
    "multi_queues_enabled": True,
    "numa_tune_mode": "strict",
    "quota": {"id": str(uuid4())},
    "storage_error_resume_behaviour": "kill",
    "tpm_enabled": True,
    "tunnel_migration": False,
    "virtio_scsi": {"enabled": True},
    "virtio_scsi_multi_queues": 2,
    "virtio_scsi_multi_queues_enabled": True,
    "initialization": {
        "cloud_init_network_protocol": "eni",
        "regenerate_ssh_keys": True,
        "prepare_headless": True,
        "host_name": "web",
        "user_name": "cloud",
        "custom_script": "#cloud-config\nruncmd:\n  - 'true'\n",
        "nic_configurations": {
            "nic_configuration": [
                {"name": "eth0", "boot_protocol": "static", "on_boot": True, "ip": {"address": "10.0.0.2"}},
                {"name": "eth1", "ipv6_boot_protocol": "autoconf", "ipv6": {"version": "v6"}},
            ]
        },
    },
}
OTHERWISE: dict[str, Any] = {"cpu": {"mode": "host_passthrough"}, "serial_number": {"policy": "host"}}
# Said of a new machine or an edit alone, or named by another entity.
NAMED = {"name", "graphics_consoles", "placement_policy/hosts"}


def differences(said: Any, told: Any, path: str = "") -> list[str]:
    """Where what is told is not what was said."""
    if isinstance(said, dict) and isinstance(told, dict):
        return [each for name in said for each in differences(said[name], told.get(name), f"{path}/{name}")]
    if isinstance(said, list):
        told = told if isinstance(told, list) else [told]
        pairs = zip(said, told, strict=False)
        return [each for one, other in pairs for each in differences(one, other, path)] + (
            [path] if len(said) != len(told) else []
        )
    text = str(said).lower() if isinstance(said, bool) else str(said)
    return [] if text == (told or {} if said == {} else told) or (said == {} and not told) else [f"{path}: {told}"]


def paths_of(tree: dict[str, Any], known: set[str], path: str = "") -> set[str]:
    found = set()
    for name, value in tree.items():
        here = f"{path}/{name}".strip("/")
        found |= {here} if here in known else paths_of(value, known, here) if isinstance(value, dict) else {here}
    return found


def test_all_that_can_be_written_is_written_here() -> None:
    writable = {
        field.path for field in vm.FIELDS if field.to and not field.to.startswith(("reference", "attribute.use_l"))
    }
    said = paths_of(EVERYTHING, writable) | paths_of(OTHERWISE, writable) | {"stateless"}
    unsaid = {f"initialization/{name}" for name in ("domain", "timezone")}  # one text is like another
    left = {path for path in writable - said - NAMED - unsaid if not path.startswith("initialization/")}
    assert (left, said - writable) == (set(), set())


@pytest.mark.parametrize("kind", ["vms", "templates", "instancetypes"])
def test_what_is_written_is_told_and_changes_nothing_when_it_is_written_again(
    api: Caller, vm: VM, admin: User, kind: str
) -> None:
    row: Any = vm
    if kind != "vms":
        template = kind == "templates"
        row = create.template("golden", vm=vm, by=admin) if template else create.instance_type("sized", by=admin)
    version = 0
    path, root = f"/{kind}/{row.pk}", ROOTS[kind]
    for said in (EVERYTHING, OTHERWISE, EVERYTHING):
        answer = api.put(path, root, said)
        assert answer.status == 200, answer.text
        assert differences(said, api.get(path).tree) == []
        version, events = type(row).objects.get(pk=row.pk).version, AuditEvent.objects.count()
        assert api.put(path, root, said).status == 200
        assert (type(row).objects.get(pk=row.pk).version, AuditEvent.objects.count()) == (version, events)
    # And so does the whole document that a client has read, and in the list it is the same.
    whole = api.get(path)
    assert api.send("put", path, whole.text).status == 200
    assert type(row).objects.get(pk=row.pk).version == version
    assert [each for each in api.get(f"/{kind}").all(root) if each["id"] == str(row.pk)] == [api.get(path).tree]


def test_a_machine_may_be_made_with_all_of_it_and_a_pool_too(api: Caller, host: Host) -> None:
    place = {"name": "made", "cluster": {"name": "Default"}, "template": {"name": "Blank"}}
    answer = api.post("/vms", "vm", {**place, **EVERYTHING, "placement_policy": {"hosts": {"host": {"name": "local"}}}})
    assert answer.status == 201, answer.text
    assert differences({**EVERYTHING, "placement_policy": {"affinity": "migratable"}}, answer.tree) == []
    assert VM.objects.get().spec.hosts == (host.pk,)
    assert str(host.pk) in str(answer.at("placement_policy/hosts/host"))
    pool = api.post(
        "/vmpools", "vm_pool", {**place, "name": "row", "vm": {"memory": 2 * GIB, "os": {"type": "debian_12"}}}
    )
    assert (pool.status, Pool.objects.get().vms.get().spec.os) == (201, "debian_12")


def test_a_field_of_a_pool_s_machines_is_there_as_for_a_machine() -> None:
    def inside(fields: tuple[Field, ...]) -> set[str]:
        return {field.path for field in fields if field.to.partition(".")[0] not in {"", "reference", "attribute"}}

    assert {path.removeprefix("vm/") for path in inside(vm_pool.FIELDS)} >= inside(vm.FIELDS)


def test_guaranteed_and_maximum_memory_follow_where_nobody_chose_them(api: Caller, vm: VM) -> None:
    path = f"/vms/{vm.pk}"
    told = api.get(path).at("memory_policy")
    assert (told["guaranteed"], told["max"]) == (str(GIB), str(GIB))
    # A client changes the memory in the document that it has read.
    assert api.put(path, "vm", {"memory": 2 * GIB, "memory_policy": told}).status == 200
    told = api.get(path).at("memory_policy")
    assert (told["guaranteed"], told["max"]) == (str(GIB), str(2 * GIB))
    assert api.put(path, "vm", {"memory": GIB // 2, "memory_policy": told}).status == 200
    assert api.get(path).at("memory_policy/max") == str(2 * GIB)
    assert api.put(path, "vm", {"memory_policy": {"guaranteed": 3 * GIB}}).status == 400


def test_a_serial_number_goes_with_its_policy(api: Caller, vm: VM) -> None:
    path = f"/vms/{vm.pk}"
    assert api.put(path, "vm", {"serial_number": {"policy": "custom"}}).status == 400
    api.put(path, "vm", {"serial_number": {"policy": "custom", "value": "A-1"}})
    api.put(path, "vm", {"serial_number": {"policy": "vm"}})
    number = VM.objects.get(pk=vm.pk).spec.serial_number
    assert (number.policy, number.value) == (SerialPolicy.VM, "")


def test_a_cpu_model_ends_passthrough_and_so_does_the_mode(api: Caller, vm: VM) -> None:
    path = f"/vms/{vm.pk}"
    for said, stored in (
        ({"cpu": {"mode": "host_passthrough"}}, "host-passthrough"),
        ({"cpu": {"mode": "custom"}, "custom_cpu_model": "Haswell"}, "Haswell"),
        ({"cpu": {"mode": "custom"}}, "Haswell"),
        ({"cpu": {"mode": "host_passthrough"}}, "host-passthrough"),
        ({"cpu": {"mode": "custom"}}, ""),
    ):
        assert api.put(path, "vm", said).status == 200
        assert VM.objects.get(pk=vm.pk).spec.cpu_model == stored


def test_users_are_told_and_heard_nothing_of_the_placement(language: str, vm: VM, host: Host, alice: User) -> None:
    hers = Caller(alice, language)
    said = {"comment": "hers", "placement_policy": {"affinity": "pinned", "hosts": {"host": {"id": str(host.pk)}}}}
    answer = hers.put(f"/vms/{vm.pk}", "vm", said)
    assert (answer.status, answer.at("comment"), answer.at("placement_policy")) == (200, "hers", None)
    assert VM.objects.get(pk=vm.pk).spec.hosts == ()


# -- what is only kept


@pytest.mark.parametrize(
    "said",
    [
        {"tpm_enabled": "perhaps"},
        {"numa_tune_mode": "loose"},
        {"virtio_scsi_multi_queues": "many"},
        {"initialization": {"host_name": "x" * (kept.LENGTH + 1)}},
        {"initialization": {"host_name": {"x": "y"}}},
        {"initialization": {"nic_configurations": {"nic_configuration": ["eth0"]}}},
        {
            "initialization": dict.fromkeys(
                ("domain", "org_name", "user_name", "timezone", "host_name"), "x" * kept.LENGTH
            )
        },
    ],
)
def test_what_is_only_kept_is_read_as_carefully(api: Caller, vm: VM, said: dict[str, Any]) -> None:
    assert api.put(f"/vms/{vm.pk}", "vm", said).status == 400
    assert VM.objects.get(pk=vm.pk).kept == {}


def test_what_is_kept_is_changed_alone(api: Caller, vm: VM) -> None:
    path = f"/vms/{vm.pk}"
    api.put(path, "vm", {"multi_queues_enabled": True, "virtio_scsi": {"enabled": True}})
    api.put(path, "vm", {"multi_queues_enabled": False})
    told = api.get(path)
    assert (told.at("multi_queues_enabled"), told.at("virtio_scsi/enabled")) == ("false", "true")


@pytest.mark.parametrize("path", NOT_OFFERED)
def test_what_nobody_does_here_is_refused_and_not_left_out(xml: Caller, vm: VM, path: str) -> None:
    said: Any = "x"
    for step in reversed(path.split("/")):
        said = {step: said}
    answer = xml.put(f"/vms/{vm.pk}", "vm", {"comment": "never", **said})
    assert (answer.status, path.replace("/", ".") in answer.fault[1]) == (400, True)
    assert VM.objects.get(pk=vm.pk).comment == ""
    # An empty element asks for nothing, and a list with an address is a link.
    step = path.partition("/")[0]
    assert xml.put(f"/vms/{vm.pk}", "vm", {step: {}}).status == 200
    if "/" in path and not path.startswith("initialization"):
        assert xml.put(f"/vms/{vm.pk}", "vm", {step: {"href": "/x", **said[step]}}).status == 200


# -- watchdog and drive


def test_a_watchdog_is_put_in_changed_and_taken_out(api: Caller, vm: VM, admin: User) -> None:
    template = create.template("golden", vm=vm, by=admin)
    for kind, row in (("vms", vm), ("templates", template)):
        path = f"/{kind}/{row.pk}/watchdogs"
        assert api.post(path, "watchdog", {"model": "i6300esb"}).status == 400
        assert api.post(path, "watchdog", {"model": "diag288", "action": "reset"}).status == 400
        made = api.post(path, "watchdog", {"model": "i6300esb", "action": "reset"})
        assert (made.status, made.at("action"), made.at(f"{ROOTS[kind]}/id")) == (201, "reset", str(row.pk))
        assert api.post(path, "watchdog", {"model": "i6300esb", "action": "pause"}).status == 409
        one = f"{path}/{made.at('id')}"
        assert api.put(one, "watchdog", {"action": "pause"}).at("action") == "pause"
        assert [told["action"] for told in api.get(path).all("watchdog")] == ["pause"]
        watchdog = type(row).objects.get(pk=row.pk).spec.watchdog
        assert watchdog is not None
        assert watchdog.action == WatchdogAction.PAUSE
        assert (api.delete(one).status, api.get(one).status, api.delete(one).status) == (200, 404, 404)


def test_every_machine_has_one_drive(api: Caller, vm: VM) -> None:
    path = f"/vms/{vm.pk}/cdroms"
    (drive,) = api.get(path).all("cdrom")
    assert (drive["id"], "file" in drive) == ("00000000-0000-0000-0000-000000000000", False)
    one = f"{path}/{drive['id']}"
    assert api.put(one, "cdrom", {"file": {"id": "x.iso"}}).at("file/id") == "x.iso"
    assert api.put(one, "cdrom", {"file": {"id": "../x"}}).status == 400
    assert VM.objects.get(pk=vm.pk).spec.boot.cd == "x.iso"
    assert api.put(one, "cdrom", {"file": {"id": ""}}).at("file") is None
    api.put(one, "cdrom", {"file": {"id": "x.iso"}})
    assert api.put(one, "cdrom", {"file": {}}).at("file") is None


def test_a_running_machine_s_cd_waits_for_its_next_start(api: Caller, vm: VM, host: Host, admin: User) -> None:
    up(vm, host, by=admin)
    one = f"/vms/{vm.pk}/cdroms/00000000-0000-0000-0000-000000000000"
    assert api.put(f"{one}?current=true", "cdrom", {"file": {"id": "x.iso"}}).status == 409
    assert api.put(one, "cdrom", {"file": {"id": "x.iso"}}).status == 200
    assert (api.get(one).at("file/id"), api.get(f"{one}?current").at("file")) == ("x.iso", None)


def test_what_needs_no_restart_is_told_as_configured() -> None:
    told = MachineSpec(id=uuid4(), name="web").shape().keys()
    shapes = {"cpu": "cpu", "boot": "kernel", "boot_order": "boot_menu", "console": "headless"}
    live = {field.name for field in fields(MachineSpec) if shapes.get(field.name, field.name) not in told}
    assert live - {"id", "level", "nics", "disks", "machine", "addresses", "guaranteed_memory"} == set(AT_ONCE) - {
        "name"
    }
    names = {field.name.removeprefix("wants_") for field in fields(Console)} - {"graphics", "video", "before"}
    assert names - told == set(CONSOLE_AT_ONCE)
