"""What domain XML says is there, ours and other people's."""

import pytest
from lxml import etree

from tests.libvirtxml.machines import (
    GOLDEN,
    HOST,
    JOB,
    MACHINE,
    addresses,
    every_offered_machine,
    golden_xml,
    with_console,
)
from vms.domain.console import Console, Protocol
from vms.domain.hosts import Endpoint
from vms.domain.runonce import Run
from vms.libvirtxml.devices import video_model
from vms.libvirtxml.observe import observe
from vms.libvirtxml.write import NAMESPACE, write


def test_what_is_written_is_seen() -> None:
    for spec, xml in every_offered_machine():
        seen, console = observe(xml), spec.console
        card = "none" if console.video is None else video_model(console.video, spec.level, HOST)
        assert (seen.name, seen.machine, seen.run, seen.cold_reboot) == (
            spec.name,
            HOST.machine_for(spec.firmware),
            None,
            False,
        )
        assert (sorted(seen.graphics), seen.videos) == (sorted(console.graphics), (card,))
        assert seen.headless == console.headless
        assert seen.addresses == addresses(xml)


@pytest.mark.parametrize("name", [name for name, subject in GOLDEN.items() if isinstance(subject, Run)])
def test_a_run_comes_back_whole(name: str) -> None:
    seen = observe(golden_xml(name))
    assert (seen.run, seen.cold_reboot) == (GOLDEN[name], name == "once-volatile")
    assert seen.run is not None
    assert seen.run.job == JOB


def test_a_console_that_listens_is_an_endpoint() -> None:
    xml = """<domain><devices>
        <graphics type='vnc' port='5901' listen='127.0.0.1'/>
        <graphics type='spice' port='5902' tlsPort='5903' listen='::1'/>
        <graphics type='spice' tlsPort='5904'/>
        <graphics type='vnc' port='-1' autoport='yes'/>
        <graphics type='vnc'><listen type='none'/></graphics>
        <graphics type='sdl' port='5905'/>
    </devices></domain>"""
    assert observe(xml).endpoints == (
        Endpoint(protocol=Protocol.VNC, address="127.0.0.1", port=5901),
        Endpoint(protocol=Protocol.SPICE, address="::1", port=5902, tls_port=5903),
        Endpoint(protocol=Protocol.SPICE, address="127.0.0.1", tls_port=5904),
    )


def test_an_endpoint_is_no_part_of_what_is_written() -> None:
    assert observe(write(with_console(Console()), HOST)).endpoints == ()


@pytest.mark.parametrize(
    ("devices", "headless"),
    [
        ("", True),
        ("<video><model type='none'/></video>", True),
        ("<video><model type='vga'/></video>", False),
        ("<graphics type='vnc'/>", False),
        ("<graphics type='vnc'/><video><model type='none'/></video>", False),
        ("<graphics type='egl-headless'/><video><model type='virtio'/></video>", False),
    ],
)
def test_headless_is_neither_graphics_nor_a_card(devices: str, headless: bool) -> None:
    assert observe(f"<domain><devices>{devices}</devices></domain>").headless == headless


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '"text"', '{"version": 99}', '{"version": 1}', '{"version": 1, "base": 3}']
)
def test_a_run_that_is_not_ours_to_read_is_none(text: str) -> None:
    xml = f"<domain><name>x</name><metadata><hw:run xmlns:hw='{NAMESPACE}'>{text}</hw:run></metadata></domain>"
    assert observe(xml).run is None


def test_a_domain_that_says_nothing_is_seen_as_nothing() -> None:
    seen = observe("<domain/>")
    assert (seen.name, seen.machine, seen.run, seen.endpoints, seen.headless) == ("", "", None, (), True)


def test_an_entity_is_not_followed() -> None:
    xml = "<!DOCTYPE domain [<!ENTITY secret SYSTEM 'file:///etc/hostname'>]><domain><name>a&secret;</name></domain>"
    assert observe(xml).name in {"", "a"}


def test_what_is_no_xml_is_refused() -> None:
    with pytest.raises(etree.XMLSyntaxError):
        observe("<domain>")


def test_the_machine_of_the_tests_is_what_it_says() -> None:
    assert observe(write(MACHINE, HOST)).graphics == ("vnc",)
