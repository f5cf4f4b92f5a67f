"""What saving would make of a machine: the devices beside the Console tab, and the difference in the domain XML."""

import re
from typing import Any

import pytest
from django.test import Client

from tests.web.browser import ticked
from tests.web.kinds import HTMX, html_of, opened, plain_text
from vms.domain.devices import devices
from vms.domain.hosts import Capabilities
from vms.libvirtxml.write import write
from vms.models import VM, Host, InstanceType, Template
from vms.web.preview import device_lines

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def after(web: Client, path: str, *boxes: str, **chosen: Any) -> str:
    """What the dialog says of the devices, once so much was chosen."""
    html = html_of(web.post(f"{path}/preview", ticked(opened(web, path), *boxes, **chosen), headers=HTMX))
    found = re.search(r'id="devices-after".*?</ul>', html, re.DOTALL)
    assert found
    return plain_text(f"<{found.group(0)}")


def xml(web: Client, path: str, *boxes: str, **chosen: Any) -> list[str]:
    """The lines that differ in the domain XML."""
    html = html_of(web.post(f"{path}/xml", ticked(opened(web, path), *boxes, **chosen), headers=HTMX))
    return [line.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"') for line in html.split("\n")]


def test_headless_takes_the_screen_away_and_says_so(web: Client, url: str) -> None:
    text = after(web, f"{url}edit", "headless")
    assert "No video or graphics device (headless)" in text
    assert [
        told for told in ("Graphics vnc removed", "Video vga removed", "Input tablet removed") if told not in text
    ] == []
    assert "Channel org.qemu.guest_agent.0" in text


def test_what_comes_is_added_and_what_stays_is_told_without_a_mark(web: Client, url: str) -> None:
    text = after(web, f"{url}edit", "serial")
    assert "Console serial added" in text
    assert "Graphics vnc Video vga" in text


def test_what_changes_is_marked(web: Client, url: str) -> None:
    assert "Graphics vnc changed" in after(web, f"{url}edit", keyboard="de")


def test_the_list_is_that_of_the_function_that_writes_the_xml(vm: VM) -> None:
    kept = device_lines(vm.spec, vm.spec)
    assert [line.fate for line in kept] == ["kept"] * len(devices(vm.spec))


def test_the_difference_is_that_of_the_written_xml(web: Client, url: str, vm: VM, host: Host) -> None:
    lines = xml(web, f"{url}edit", "headless", memory="2048")
    removed = [line for line in lines if '>-      <model type="virtio"' in line]
    assert removed
    assert any('+      <model type="none"/>' in line for line in lines)
    assert any("2048</memory>" in line for line in lines)
    assert "2048" not in write(vm.spec, Capabilities())


def test_nothing_differs_when_nothing_was_chosen(web: Client, url: str) -> None:
    assert "Nothing changes in the domain XML." in "".join(xml(web, f"{url}edit", description="only a word"))


def test_without_any_script_the_difference_is_a_page(web: Client, url: str) -> None:
    html = html_of(web.post(f"{url}edit/xml", ticked(opened(web, f"{url}edit"), "headless")))
    assert "<html" in html
    assert "app-xml" in html


def test_every_kind_has_both(web: Client, host: Host) -> None:
    template, size = Template.objects.get(name="Blank"), InstanceType.objects.get(name="Large")
    for path in (f"/templates/{template.pk}/edit", f"/instance-types/{size.pk}/edit", "/vms/new", "/pools/new"):
        assert "No video or graphics device" in after(web, path, "headless"), path
        assert "app-xml" in "".join(xml(web, path, "headless")), path


def test_nonsense_is_previewed_as_what_is_stored(web: Client, url: str) -> None:
    nonsense = {"memory": "x", "sockets": "-1", "protocol": "rdp", "boot_devices": "\x00", "rng_bytes": "9" * 400}
    assert "Graphics vnc Video vga" in after(web, f"{url}edit", **nonsense)
    assert "Nothing changes in the domain XML." in "".join(xml(web, f"{url}edit", **nonsense))


def test_portal_users_are_shown_no_xml(vm: VM, alice: Any, client: Client) -> None:
    client.force_login(alice)
    html = html_of(client.get(f"/portal/vms/{vm.pk}/edit"))
    assert "show-xml" not in html
    assert client.post(f"/portal/vms/{vm.pk}/edit/xml").status_code == 404
