"""What a choice in an open dialog brings with it: where values come from, what follows, what can be taken back."""

import re
from typing import Any

import pytest
from django.test import Client

from tests.factories import headless
from tests.web.browser import controls, ticked
from tests.web.kinds import HTMX, html_of, opened, plain_text
from vms.actions import create, edit
from vms.domain.changes import Changes
from vms.domain.machine import VmType
from vms.domain.parts import Topology
from vms.models import VM, Host, InstanceType, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

NEW = "/vms/new"


def preview(web: Client, data: dict[str, str], path: str = NEW, **chosen: Any) -> tuple[str, dict[str, str]]:
    """The dialog after a choice: its text, and what the browser holds of it."""
    html = html_of(web.post(f"{path}/preview", ticked(data, **chosen), headers=HTMX))
    return html, controls(html, path).data


def origin(html: str, field: str) -> str:
    """What stands beside a field about where its value comes from."""
    found = re.search(rf'id="origin-{field}">(.*?)</span>\s*(?:</div>|</legend>)', html, re.DOTALL)
    assert found, field
    return plain_text(found.group(1))


@pytest.fixture
def large(host: Host) -> InstanceType:
    return InstanceType.objects.get(name="Large")


# -- where values come from


def test_every_inherited_value_says_from_what(web: Client, large: InstanceType) -> None:
    html, _data = preview(web, opened(web, NEW), instance_type=str(large.pk))
    assert (origin(html, "memory"), origin(html, "headless")) == ("instance type Large", "instance type Large")
    assert (origin(html, "os"), origin(html, "kernel")) == ("template Blank", "template Blank")


def test_an_own_value_says_so_and_can_be_reset(web: Client, url: str, vm: VM, admin: User) -> None:
    path = f"{url}edit"
    html, data = preview(web, opened(web, path), path, memory="2048", headless="on")
    for field in ("memory", "headless"):
        assert origin(html, field).startswith("own value Reset to inherited")
    html, data = preview(web, data, path, reset="memory")
    assert (data["memory"], data["headless"], origin(html, "memory")) == ("1024", "on", "template Blank")


def test_a_headless_instance_type_hands_down_deviates_and_is_reset(web: Client, host: Host, admin: User) -> None:
    quiet = create.instance_type("small-headless", changes=Changes(console=headless), by=admin)
    html, data = preview(web, opened(web, NEW), instance_type=str(quiet.pk))
    assert (data["headless"], origin(html, "headless")) == ("on", "instance type small-headless")
    html, data = preview(web, data, headless=None)
    assert origin(html, "headless").startswith("own value")
    _html, data = preview(web, data, reset="headless")
    assert data["headless"] == "on"


def test_templates_and_instance_types_inherit_nothing_and_say_nothing(web: Client, large: InstanceType) -> None:
    assert "app-origin" not in html_of(web.get(f"/instance-types/{large.pk}/edit"))
    assert "app-origin" in html_of(web.get(NEW))


@pytest.mark.parametrize("name", ["", "nothing", "version", "\x00", "name"])
def test_resetting_what_inherits_nothing_does_nothing(name: str, web: Client, url: str) -> None:
    path = f"{url}edit"
    _html, data = preview(web, opened(web, path), path, reset=name, memory="2048")
    assert data["memory"] == "2048"


# -- another source is inherited from visibly


def test_what_another_instance_type_changes_is_listed(web: Client, large: InstanceType) -> None:
    html, data = preview(web, opened(web, NEW), instance_type=str(large.pk), name="n1")
    text = plain_text(html)
    assert "This changed with it: Memory Size (MiB): 1024 becomes 8192 Virtual Sockets: 1 becomes 2" in text
    assert (data["memory"], data["name"]) == ("8192", "n1")


def test_another_version_is_inherited_by_what_was_not_touched(web: Client, vm: VM, admin: User) -> None:
    base = create.template("golden", vm=vm, by=admin)
    child = create.vm("child", cluster=vm.cluster, template=base, by=admin)
    version = create.template("", base=base, changes=Changes(console=headless, machine={"memory": 512}), by=admin)
    path = f"/vms/{child.pk}/edit"
    html, data = preview(web, opened(web, path), path, template=str(version.pk), sockets="3")
    assert (data["memory"], data["sockets"], data["headless"]) == ("512", "3", "on")
    assert "Memory Size (MiB): 1024 becomes 512" in plain_text(html)


# -- another size makes it Custom, and back


def test_another_size_makes_the_instance_type_custom_and_its_size_links_it_again(
    web: Client, large: InstanceType
) -> None:
    _html, data = preview(web, opened(web, NEW), instance_type=str(large.pk))
    html, data = preview(web, data, memory="9000")
    assert (data["instance_type"], data["sockets"]) == ("", "2")
    assert "its size makes it Large again" in plain_text(html)
    _html, data = preview(web, data, memory="8192")
    assert data["instance_type"] == str(large.pk)


def test_what_was_left_is_saved_as_custom_with_what_was_shown(web: Client, large: InstanceType) -> None:
    _html, data = preview(web, opened(web, NEW), instance_type=str(large.pk))
    _html, data = preview(web, data, memory="9000", name="n1")
    web.post(NEW, data)
    made = VM.objects.get(name="n1")
    assert (made.instance_type, made.memory, made.sockets) == (None, 9000, 2)


def test_custom_that_was_chosen_stays_custom(web: Client, large: InstanceType) -> None:
    _html, data = preview(web, opened(web, NEW), instance_type=str(large.pk))
    _html, data = preview(web, data, instance_type="")
    _html, data = preview(web, data, memory="8192", sockets="2")
    assert data["instance_type"] == ""


def test_a_linked_machine_is_made_custom_and_linked_again_in_one_dialog(
    web: Client, large: InstanceType, host: Host, admin: User
) -> None:
    vm = create.vm("sized", cluster=host.cluster, instance_type=large, by=admin)
    path = f"/vms/{vm.pk}/edit"
    _html, data = preview(web, opened(web, path), path, sockets="4")
    assert data["instance_type"] == ""
    _html, back = preview(web, data, path, sockets="2")
    web.post(path, back)
    assert VM.objects.get(pk=vm.pk).instance_type == large
    web.post(path, data)
    after = VM.objects.get(pk=vm.pk)
    assert (after.instance_type, after.sockets) == (None, 4)


# -- High Performance


def test_high_performance_presets_and_lists_what_it_set(web: Client, host: Host) -> None:
    data = ticked(opened(web, NEW), protocol="spice")
    _html, data = preview(web, data)
    html, data = preview(web, ticked(data, "usb", "sound"), vm_type="high_performance")
    text = plain_text(html)
    assert (data["headless"], data["serial"], data["cpu_model"]) == ("on", "on", "host-passthrough")
    assert "usb" not in data
    switched = {"Headless Mode: off becomes on", "USB Enabled: on becomes off", "I/O Threads: 0 becomes 1"}
    assert {told for told in switched if told not in text} == set()


def test_high_performance_is_undone_at_once_and_stays_chosen(web: Client, host: Host) -> None:
    before = opened(web, NEW)
    _html, data = preview(web, before, vm_type="high_performance", name="fast")
    html, data = preview(web, data, undo="on")
    own = {"state", "vm_type", "name", "csrfmiddlewaretoken"}
    assert {name: value for name, value in data.items() if name not in own} == {
        name: value for name, value in before.items() if name not in own
    }
    assert (data["vm_type"], data["name"]) == ("high_performance", "fast")
    assert "Set for High Performance" not in html


def test_a_machine_that_is_high_performance_already_is_left_alone(web: Client, url: str, vm: VM, admin: User) -> None:
    edit.edit(vm, Changes(machine={"vm_type": VmType.HIGH_PERFORMANCE}), by=admin)
    path = f"{url}edit"
    html, data = preview(web, opened(web, path), path, description="x")
    assert ("headless" in data, "Set for High Performance" in html) == (False, False)


# -- the basic view


def hidden(html: str, field: str) -> bool:
    found = re.search(rf'id="group-{field}"([^>]*)>', html, re.DOTALL)
    assert found, field
    return found.group(1).endswith(" hidden")


def test_the_basic_view_has_headless_and_the_serial_console(web: Client, url: str) -> None:
    html = html_of(web.get(f"{url}edit"))
    assert [hidden(html, name) for name in ("name", "memory", "headless", "serial")] == [False] * 4
    assert [hidden(html, name) for name in ("video_type", "protocol", "threads", "rng_source")] == [True] * 4
    assert "data-tabs" not in html


def test_the_view_is_switched_and_remembered_and_loses_nothing(web: Client, url: str) -> None:
    path = f"{url}edit"
    html, data = preview(web, opened(web, path), path, show="advanced", description="typed", threads="2")
    assert ("data-tabs" in html, data["description"], data["threads"]) == (True, "typed", "2")
    assert "data-tabs" in html_of(web.get(path))
    html, data = preview(web, data, path, show="basic")
    assert ("data-tabs" in html, data["threads"]) == (False, "2")
    assert "data-tabs" not in html_of(web.get(path))


def test_a_cure_ticks_the_serial_console_in_the_open_dialog_and_by_a_link(web: Client, url: str) -> None:
    path = f"{url}edit"
    html, data = preview(web, opened(web, path), path, headless="on")
    assert 'name="cure" value="enable_serial"' in html
    assert 'id="id_accept_lockout"' in html
    html, data = preview(web, data, path, cure="enable_serial")
    assert (data["serial"], 'id="id_accept_lockout"' in html) == ("on", False)
    assert opened(web, f"{path}?tab=console&cure=enable_serial", path)["serial"] == "on"


def test_each_kind_shows_the_fields_that_it_has(web: Client, host: Host) -> None:
    """The profile table of user-interface.md 1.3: which fields are not rendered for which kind."""
    lacking = {
        "/vms/new": {"spice_proxy", "override_proxy", "pool_type", "version_name"},
        "/templates/new": {"spice_proxy", "override_proxy", "instance_type", "stateless"},
        "/pools/new": {"high_availability", "priority", "watchdog_action", "stateless"},
        "/instance-types/new": {
            *("keyboard", "disconnect_action", "disconnect_delay", "sso", "allow_reconnect", "file_transfer"),
            *("copy_paste", "spice_proxy", "os", "firmware", "kernel", "cluster", "hosts", "property_hugepages"),
        },
    }
    everywhere = {"headless", "video_type", "protocol", "monitors", "usb", "smartcard", "sound", "serial", "memory"}
    for path, missing in lacking.items():
        html = html_of(web.get(path))
        assert [name for name in missing if f'name="{name}"' in html] == [], path
        assert [name for name in everywhere if f'name="{name}"' not in html] == [], path
    assert 'name="spice_proxy"' in html_of(web.get("/pools/new"))


# -- somebody else was faster


def test_who_was_overtaken_keeps_what_was_typed_and_saves_again(web: Client, url: str, vm: VM, admin: User) -> None:
    path = f"{url}edit"
    data = ticked(opened(web, path), description="mine", sockets="2")
    edit.edit(vm, Changes(machine={"memory": 4096, "cpu": Topology(cores=3)}), by=admin)
    answer = web.post(path, data)
    again = controls(html_of(answer), path).data
    assert (answer.status_code, again["description"], again["sockets"], again["memory"], again["cores"]) == (
        *(422, "mine", "2"),
        *("4096", "3"),
    )
    told = "Changed meanwhile by somebody else, and taken over here: Memory Size (MiB): 1024 becomes 4096"
    assert told in plain_text(html_of(answer))
    assert web.post(path, again).status_code == 302
    vm.refresh_from_db()
    assert (vm.description, vm.sockets, vm.cores, vm.memory) == ("mine", 2, 3, 4096)


def test_a_template_that_was_removed_meanwhile_is_told_and_nothing_typed_is_lost(
    web: Client, vm: VM, admin: User
) -> None:
    gone = create.template("gone", vm=vm, by=admin)
    data = ticked(opened(web, f"{NEW}?template={gone.pk}", NEW), name="n1", memory="333", description="long")
    gone.delete()
    answer = web.post(NEW, data)
    again = controls(html_of(answer), NEW).data
    assert answer.status_code == 422
    assert "It is not there any more, or not for you to use; choose another." in html_of(answer)
    assert (again["name"], again["memory"], again["description"]) == ("n1", "333", "long")
    assert not VM.objects.filter(name="n1").exists()


def test_the_signed_state_of_another_dialog_decides_nothing(web: Client, url: str, headless_vm: VM) -> None:
    path = f"{url}edit"
    stolen = opened(web, f"/vms/{headless_vm.pk}/edit")["state"]
    _html, data = preview(web, opened(web, path), path, state=stolen, undo="on")
    assert "headless" not in data


def test_what_takes_another_right_is_greyed_out_with_the_reason(vm: VM, alice: User, client: Client) -> None:
    client.force_login(alice)
    path = f"/portal/vms/{vm.pk}/edit"
    form = controls(html_of(client.get(path)), path)
    assert ("property_hugepages" in form.disabled, "memory" in form.disabled) == (True, False)
    html = html_of(client.get(path))
    assert "Your roles do not allow you to" in html
    answer = client.post(path, ticked(form.data, hosts="00000000-0000-0000-0000-000000000001", memory="2048"))
    assert (answer.status_code, VM.objects.get(pk=vm.pk).host_ids, VM.objects.get(pk=vm.pk).memory) == (302, [], 2048)
