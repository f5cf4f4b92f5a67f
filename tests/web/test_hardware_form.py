"""The one form of all machines: what it offers, what it greys out, and which changes it says."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.factories import headless, machine
from tests.web.browser import posted, ticked
from tests.web.kinds import GRAPHICAL
from vms.actions import create, edit, reports
from vms.domain.changes import Changes
from vms.domain.console import HEADLESS, SPICE, SPICE_AND_VNC, VNC, Console, Video
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.domain.hosts import Capabilities
from vms.domain.machine import MachineSpec
from vms.domain.properties import PROPERTIES
from vms.forms import InstanceTypeForm, PoolForm, TemplateForm, VMForm
from vms.models import VM, Cluster, Host, InstanceType, Pool, Template, User
from vms.models.machines import BLANK

pytestmark = pytest.mark.django_db


def save(vm: VM, data: dict[str, Any], by: User) -> VM:
    form = VMForm(data, row=vm, by=by)
    assert form.is_valid(), form.errors
    return edit.edit(vm, form.changes(), by=by)


def disabled(form: VMForm) -> set[str]:
    return {name for name, field in form.fields.items() if field.disabled}


def reason(form: VMForm, name: str) -> str:
    bound: Any = form[name]
    return str(bound.reason)


@pytest.fixture
def spice(admin: User, host: Host) -> VM:
    """A machine with SPICE, QXL, USB and two monitors."""
    vm = create.vm("desk", cluster=host.cluster, by=admin)
    return save(vm, ticked(as_spice(vm, admin), "usb", monitors="2"), admin)


def as_spice(vm: VM, by: User) -> dict[str, Any]:
    """What the browser holds once SPICE was chosen and the server has drawn the fields anew."""
    return posted(VMForm(ticked(posted(VMForm(row=vm, by=by)), protocol="spice"), row=vm, by=by).redrawn())


def test_a_form_that_nobody_touched_changes_nothing(vm: VM, admin: User) -> None:
    form = VMForm(posted(VMForm(row=vm, by=admin)), row=vm, by=admin)
    assert form.is_valid(), form.errors
    assert form.changes() == Changes(version=vm.version, accept_lockout=False)


@pytest.mark.parametrize("make", [lambda vm: vm, lambda vm: edit.edit(vm, Changes(console=headless), by=vm_admin())])
def test_saving_untouched_keeps_the_row_as_it_is(make: Callable[[VM], VM], vm: VM, admin: User) -> None:
    vm = make(vm)
    assert save(vm, posted(VMForm(row=vm, by=admin)), admin).version == vm.version


def vm_admin() -> User:
    return User.objects.get(username="admin")


def test_headless_greys_out_everything_graphical_and_never_the_serial_console(headless_vm: VM, admin: User) -> None:
    assert disabled(VMForm(row=headless_vm, by=admin)) == {*GRAPHICAL, "tpm"}


def test_each_greyed_out_field_has_a_reason(vm: VM, admin: User) -> None:
    form = VMForm(row=vm, by=admin)
    assert {name for name in form.fields if reason(form, name)} == disabled(form) != set()


def test_ticking_headless_makes_the_machine_headless(vm: VM, admin: User) -> None:
    saved = save(vm, ticked(posted(VMForm(row=vm, by=admin)), "headless", "accept_lockout"), admin)
    assert (saved.console.graphics, saved.console.video) == (HEADLESS, None)


def test_unticking_headless_brings_back_what_was_there(spice: VM, admin: User) -> None:
    gone = save(spice, ticked(posted(VMForm(row=spice, by=admin)), "headless", "accept_lockout"), admin)
    back = save(gone, ticked(posted(VMForm(row=gone, by=admin)), headless=None), admin)
    assert (back.console.graphics, back.console.video, back.console.usb) == (SPICE, Video.QXL, True)
    assert back.console.monitors == 2


def test_unticking_and_choosing_otherwise_takes_the_choice(headless_vm: VM, admin: User) -> None:
    unticked = ticked(posted(VMForm(row=headless_vm, by=admin)), headless=None)
    redrawn = posted(VMForm(unticked, row=headless_vm, by=admin).redrawn())
    saved = save(headless_vm, ticked(redrawn, protocol="spice"), admin)
    assert (saved.console.graphics, saved.console.video) == (SPICE, Video.QXL)


def test_what_was_chosen_before_ticking_survives_in_the_open_dialog(vm: VM, admin: User) -> None:
    chosen = ticked(as_spice(vm, admin), "usb", "sound", monitors="4")
    ticking = VMForm(ticked(chosen, "headless", "accept_lockout"), row=vm, by=admin).redrawn()
    assert disabled(ticking) == {*GRAPHICAL, "tpm"}
    back = VMForm(ticked(posted(ticking), headless=None), row=vm, by=admin).redrawn()
    values = {name: back[name].value() for name in ("headless", "protocol", "video_type", "usb", "sound", "monitors")}
    assert values == {
        "headless": False,
        "protocol": "spice",
        "video_type": "qxl",
        "usb": True,
        "sound": True,
        "monitors": "4",
    }


def test_a_greyed_out_field_ignores_what_is_posted(headless_vm: VM, admin: User) -> None:
    hostile = ticked(posted(VMForm(row=headless_vm, by=admin)), "sound", protocol="spice", video_type="nonsense")
    saved = save(headless_vm, hostile, admin)
    assert saved.console == headless_vm.console
    assert saved.console.before == headless_vm.console.before


def test_the_signed_copy_of_another_machine_is_not_taken(vm: VM, headless_vm: VM, admin: User) -> None:
    stolen = posted(VMForm(row=headless_vm, by=admin))["state"]
    form = VMForm(ticked(posted(VMForm(row=vm, by=admin)), state=stolen), row=vm, by=admin)
    assert form.is_valid()
    assert form.changes() == Changes(version=vm.version, accept_lockout=False)


def test_choosing_spice_brings_the_card_that_goes_with_it(vm: VM, admin: User) -> None:
    saved = save(vm, ticked(posted(VMForm(row=vm, by=admin)), protocol="spice"), admin)
    assert (saved.console.graphics, saved.console.video) == (SPICE, Video.QXL)


def test_a_card_that_does_not_go_with_the_protocol_is_refused_at_its_field(spice: VM, admin: User) -> None:
    form = VMForm(ticked(posted(VMForm(row=spice, by=admin)), video_type="vga"), row=spice, by=admin)
    assert set(form.errors) == {"video_type"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("protocol", "rdp"),
        ("protocol", "none"),
        ("video_type", "none"),
        ("video_type", "voodoo"),
        ("keyboard", "klingon"),
        ("memory", "abc"),
        ("memory", "1" + "0" * 400),
        ("memory", "1" + "0" * 5000),
        ("memory", "-1"),
        ("memory", "63"),
        ("memory", "1e3"),
        ("memory", "\x00"),
        ("sockets", "257"),
        ("sockets", "NaN"),
        ("name", ""),
        ("name", "<script>alert(1)</script>"),
        ("name", "a\x00b"),
        ("name", "../../etc/passwd"),
        ("name", "ü"),
        ("name", "a" * 65),
        ("vm_type", "gaming"),
        ("firmware", "openfirmware"),
        ("kernel", "/etc/shadow"),
        ("parameters", "quiet"),
        ("description", "x" * 4001),
        ("description", "\x00"),
        ("template", "not-a-uuid"),
        ("template", "00000000-0000-0000-0000-00000000dead"),
        ("instance_type", "\x00"),
    ],
)
def test_what_is_impossible_is_an_error_of_its_field(field: str, value: str, vm: VM, admin: User) -> None:
    form = VMForm(ticked(posted(VMForm(row=vm, by=admin)), **{field: value}), row=vm, by=admin)
    assert set(form.errors) == {field}
    assert form.redrawn().as_p()


@pytest.mark.parametrize("version", ["", "x", "\x00"])
def test_a_form_must_say_which_version_it_saw(version: str, vm: VM, admin: User) -> None:
    form = VMForm(ticked(posted(VMForm(row=vm, by=admin)), version=version), row=vm, by=admin)
    assert set(form.errors) == {"version"}


def test_too_many_cpus_in_all_are_refused(vm: VM, admin: User) -> None:
    form = VMForm(ticked(posted(VMForm(row=vm, by=admin)), sockets="32", cores="32"), row=vm, by=admin)
    assert set(form.errors) == {"sockets"}


def test_the_version_goes_along(vm: VM, admin: User) -> None:
    data = ticked(posted(VMForm(row=vm, by=admin)), description="one")
    save(vm, data, admin)
    late = VMForm(ticked(data, description="two"), row=vm, by=admin)
    assert late.is_valid()
    with pytest.raises(Refusal, match="EDITED_MEANWHILE"):
        edit.edit(vm, late.changes(), by=admin)


def test_a_protocol_that_no_host_offers_cannot_be_chosen_and_says_why(vm: VM, host: Host, admin: User) -> None:
    reports.host_seen(host, Capabilities(graphics=VNC))
    form = VMForm(row=vm, by=admin)
    html = str(form["protocol"])
    assert '<option value="spice" disabled>SPICE — No host of the cluster offers SPICE.</option>' in html
    assert set(VMForm(ticked(posted(form), protocol="spice"), row=vm, by=admin).errors) == {"protocol"}


def test_a_stored_protocol_that_is_not_offered_any_more_does_not_stop_another_edit(
    spice: VM, host: Host, admin: User
) -> None:
    reports.host_seen(host, Capabilities(graphics=VNC))
    saved = save(spice, ticked(posted(VMForm(row=spice, by=admin)), description="old"), admin)
    assert saved.console == spice.console


def test_unticking_where_no_host_offers_graphics_is_refused(headless_vm: VM, host: Host, admin: User) -> None:
    reports.host_seen(host, Capabilities(graphics=HEADLESS))
    form = VMForm(ticked(posted(VMForm(row=headless_vm, by=admin)), headless=None), row=headless_vm, by=admin)
    assert form.not_offered
    assert set(form.errors) == {"protocol"}


def test_another_firmware_offers_another_card(vm: VM, admin: User) -> None:
    form = VMForm(ticked(posted(VMForm(row=vm, by=admin)), firmware="uefi"), row=vm, by=admin).redrawn()
    assert "bochs" in dict(form.fields["video_type"].choices)  # type: ignore[attr-defined]


def test_a_tpm_is_offered_with_uefi_alone_and_where_a_host_makes_it(vm: VM, host: Host, admin: User) -> None:
    data = posted(VMForm(row=vm, by=admin))
    assert "UEFI" in str(VMForm(row=vm, by=admin).locked["tpm"])
    redrawn = VMForm(ticked(data, firmware="secure"), row=vm, by=admin).redrawn()
    assert "tpm" not in redrawn.locked
    assert save(vm, ticked(posted(redrawn), "tpm"), admin).tpm
    vm.refresh_from_db()
    assert not save(vm, ticked(posted(VMForm(row=vm, by=admin)), firmware="bios"), admin).tpm, "it goes with the UEFI"
    reports.host_seen(host, Capabilities())
    another = machine("another", by=admin, firmware=Firmware.SECURE)
    assert "swtpm" in str(VMForm(row=another, by=admin).locked["tpm"])


def test_usb_that_goes_off_is_told_before_saving(vm: VM, admin: User) -> None:
    data = ticked(as_spice(vm, admin), "usb", "headless", "accept_lockout")
    assert VMForm(data, row=vm, by=admin).redrawn().usb_goes_off
    assert not VMForm(ticked(data, "serial"), row=vm, by=admin).redrawn().usb_goes_off


def test_another_instance_type_is_inherited_by_what_was_not_touched(vm: VM, admin: User) -> None:
    large = InstanceType.objects.get(name="Large")
    data = ticked(posted(VMForm(row=vm, by=admin)), instance_type=str(large.pk), sockets="3")
    saved = save(vm, data, admin)
    assert (saved.memory, saved.sockets) == (8192, 3)


def test_the_redrawn_form_shows_what_the_instance_type_hands_down(vm: VM, admin: User) -> None:
    large = InstanceType.objects.get(name="Large")
    data = ticked(posted(VMForm(row=vm, by=admin)), instance_type=str(large.pk), description="typed")
    form = VMForm(data, row=vm, by=admin).redrawn()
    assert (form["memory"].value(), form["sockets"].value()) == (8192, 2)
    back = VMForm(ticked(posted(form), instance_type=""), row=vm, by=admin).redrawn()
    assert (back["memory"].value(), back["sockets"].value(), back["description"].value()) == (1024, 1, "typed")


def test_a_headless_instance_type_makes_the_machine_headless(vm: VM, admin: User) -> None:
    small = create.instance_type("quiet", changes=Changes(console=headless), by=admin)
    data = ticked(posted(VMForm(row=vm, by=admin)), "accept_lockout", instance_type=str(small.pk))
    assert save(vm, data, admin).console.headless


def test_a_new_machine_inherits_the_console_of_its_template(vm: VM, admin: User) -> None:
    quiet = create.template("quiet", vm=edit.edit(vm, Changes(console=headless), by=admin), by=admin)
    data = ticked(posted(VMForm(row=VM(), by=admin)), "accept_lockout", name="n1", template=str(quiet.pk))
    form = VMForm(data, row=VM(), by=admin)
    assert form.is_valid(), form.errors
    assert create.vm(**form.creation(), by=admin).console.headless


def test_a_new_machine_is_made_of_what_the_form_says(admin: User, host: Host) -> None:
    data = ticked(posted(VMForm(row=VM(), by=admin)), "headless", "serial", name="n1", memory="256", comment="tiny")
    form = VMForm(data, row=VM(), by=admin)
    assert form.is_valid(), form.errors
    made = create.vm(**form.creation(), by=admin)
    assert (made.name, made.memory, made.comment, made.serial_console) == ("n1", 256, "tiny", True)
    assert made.console.headless


def test_only_clusters_where_one_may_create_are_offered(admin: User, alice: User, cluster: Cluster) -> None:
    assert list(VMForm(row=VM(), by=admin).fields["cluster"].queryset) == [cluster]  # type: ignore[attr-defined]
    form = VMForm(row=VM(), by=alice)
    assert not form.fields["cluster"].queryset  # type: ignore[attr-defined]


def test_only_versions_of_its_template_are_offered_to_a_machine(vm: VM, admin: User) -> None:
    create.template("other", vm=vm, by=admin)
    offered = VMForm(row=vm, by=admin).fields["template"].queryset  # type: ignore[attr-defined]
    assert [row.pk for row in offered] == [BLANK]


def test_a_machine_of_a_pool_is_changed_in_its_pool(admin: User, host: Host) -> None:
    pool = create.pool("lab", cluster=host.cluster, by=admin)
    member = pool.vms.get()
    form = VMForm(row=member, by=admin)
    assert disabled(form) >= {"memory", "headless", "serial", "template", "instance_type", "name"}
    assert "lab" in reason(form, "headless")
    saved = save(member, ticked(posted(form), "headless", "accept_lockout", description="mine", memory="999"), admin)
    assert (saved.description, saved.memory, saved.console) == ("mine", member.memory, member.console)


@pytest.mark.parametrize(
    ("form_class", "make"),
    [
        (TemplateForm, lambda form, by: create.template(**form.creation(), by=by)),
        (InstanceTypeForm, lambda form, by: create.instance_type(**form.creation(), by=by)),
        (PoolForm, lambda form, by: create.pool(**form.creation(), by=by)),
    ],
)
def test_each_kind_can_be_made_and_made_headless(
    form_class: Any, make: Callable[[Any, User], Any], admin: User, host: Host
) -> None:
    model: Any = {TemplateForm: Template, InstanceTypeForm: InstanceType, PoolForm: Pool}[form_class]
    data = ticked(posted(form_class(row=model(), by=admin)), "headless", "serial", name="quiet", memory="300")
    form = form_class(data, row=model(), by=admin)
    assert form.is_valid(), form.errors
    row = make(form, admin)
    assert (row.name, row.memory, row.console.headless) == ("quiet", 300, True)
    again = form_class(ticked(posted(form_class(row=row, by=admin)), headless=None), row=row, by=admin)
    assert again.is_valid(), again.errors
    assert edit.edit(row, again.changes(), by=admin).console.graphics == VNC


def test_blank_keeps_its_name(admin: User) -> None:
    blank = Template.objects.get(pk=BLANK)
    form = TemplateForm(ticked(posted(TemplateForm(row=blank, by=admin)), name="mine"), row=blank, by=admin)
    assert form.is_valid(), form.errors
    assert "name" not in form.changes().machine


def test_every_part_of_a_machine_that_can_be_configured_has_a_field(vm: VM, admin: User) -> None:
    """A test of the tests: a field added to the machine must be reachable through the form, or be named here."""
    not_configured = {"id", "level", "nics", "disks", "machine", "addresses"}
    several = {
        "cpu": {"sockets", "cores", "threads"},
        "serial_number": {"serial_policy", "serial_value"},
        "boot": {"cd", "kernel", "initrd", "parameters"},
        "boot_order": {"boot_devices", "boot_menu"},
        "restart": {"high_availability"},
        "watchdog": {"watchdog_action"},
        "rng": {"rng_source", "rng_bytes", "rng_period"},
        "custom_properties": {f"property_{name}" for name in PROPERTIES},
        "graphics": {"protocol"},
        "video": {"video_type"},
        "before": {"headless"},
    }
    names = (set(MachineSpec.__dataclass_fields__) - not_configured - {"console"}) | set(Console.__dataclass_fields__)
    wanted = set().union(*(several.get(name, {name.removeprefix("wants_")}) for name in names))
    only_pools = {"spice_proxy"}
    assert wanted - set(VMForm(row=vm, by=admin).fields) == only_pools
    pool = create.pool("lab", cluster=vm.cluster, by=admin)
    assert only_pools <= set(PoolForm(row=pool, by=admin).fields)


def test_both_protocols_at_once_keep_what_each_needs(vm: VM, admin: User) -> None:
    form = VMForm(ticked(posted(VMForm(row=vm, by=admin)), protocol="spice+vnc"), row=vm, by=admin).redrawn()
    assert disabled(form) == {"monitors", "disconnect_delay", "tpm"}
    assert save(vm, posted(form), admin).console.graphics == SPICE_AND_VNC


def test_the_boot_library_is_offered(vm: VM, admin: User, settings: Any) -> None:
    (settings.BOOT_DIR / "vmlinuz").touch()
    data = ticked(posted(VMForm(row=vm, by=admin)), kernel="vmlinuz", parameters="console=ttyS0")
    saved = save(vm, data, admin)
    assert (saved.kernel, saved.parameters) == ("vmlinuz", "console=ttyS0")
    (settings.BOOT_DIR / "vmlinuz").unlink()
    assert save(saved, ticked(posted(VMForm(row=saved, by=admin)), comment="still"), admin).kernel == "vmlinuz"


def test_a_custom_property_that_cannot_be_is_refused_at_its_own_field(vm: VM, admin: User) -> None:
    form = VMForm(ticked(posted(VMForm(row=vm, by=admin)), property_hugepages="3"), row=vm, by=admin)
    assert set(form.errors) == {"property_hugepages"}
