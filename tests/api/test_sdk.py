"""oVirt's own Python SDK, unmodified, walks through the headless story; it is the judge of the door."""

import os
import re
from collections.abc import Iterator

import pytest

if not os.environ.get("CI"):
    pytest.importorskip("ovirtsdk4", reason="oVirt's SDK is not installed")
import ovirtsdk4
from ovirtsdk4 import services, types

from tests.api.installations import Installation, here, until
from tests.hypervisors.conftest import real_libvirt

__all__ = ["here", "real_libvirt"]

VNC = types.GraphicsConsole(protocol=types.GraphicsType.VNC)
VNC_ID = "766e63"
DEFAULT, BLANK = types.Cluster(name="Default"), types.Template(name="Blank")
MEMORY = 64 * 1024 * 1024


@pytest.fixture
def connection(here: Installation) -> Iterator[ovirtsdk4.Connection]:
    connection = here.connect()
    yield connection
    connection.close()


def described(name: str, **more: object) -> types.Vm:
    return types.Vm(**{"name": name, "cluster": DEFAULT, "template": BLANK, "memory": MEMORY, **more})


def test_a_machine_without_its_console_runs_headless_and_once_with_a_screen(
    here: Installation, connection: ovirtsdk4.Connection
) -> None:
    vms = connection.system_service().vms_service()
    made = vms.add(described("story", console=types.Console(enabled=True)))
    assert made.display.type == types.DisplayType.VNC
    vm = vms.vm_service(made.id)
    consoles = vm.graphics_consoles_service()
    assert [(console.id, console.protocol) for console in consoles.list()] == [(VNC_ID, types.GraphicsType.VNC)]

    consoles.console_service(VNC_ID).remove()
    told = vm.get()
    assert (told.display, told.console.enabled, consoles.list()) == (None, True, [])

    vm.start()
    assert until(vm, types.VmStatus.UP).display is None
    assert consoles.list(current=True) == []
    with pytest.raises(ovirtsdk4.Error, match="headless") as refused:
        vm.ticket()
    assert refused.value.code == 409
    with pytest.raises(ovirtsdk4.Error) as nothing:
        consoles.console_service(VNC_ID).remote_viewer_connection_file()
    assert nothing.value.code == 204
    vm.stop()
    until(vm, types.VmStatus.DOWN)

    vm.start(vm=types.Vm(display=types.Display(type=types.DisplayType.VNC)))
    once = until(vm, types.VmStatus.UP)
    assert (once.run_once, once.display.type) == (True, types.DisplayType.VNC)
    (shown,) = consoles.list(current=True)
    assert (shown.address, shown.port) == (once.display.address, once.display.port)
    assert shown.address
    assert shown.port >= 5900
    assert consoles.list() == []
    assert vm.get(next_run=True).display is None
    assert_tickets_open(here, vm, shown)

    vm.stop()
    assert until(vm, types.VmStatus.DOWN).display is None
    vm.remove()
    with pytest.raises(ovirtsdk4.NotFoundError):
        vm.get()


def assert_tickets_open(here: Installation, vm: services.VmService, shown: types.GraphicsConsole) -> None:
    """Each ticket opens the running console, and none that came before it does."""
    console, answers = vm.graphics_consoles_service().console_service(VNC_ID), here.opens(shown)
    file = console.remote_viewer_connection_file()
    assert f"type=vnc\nhost={shown.address}\nport={shown.port}\npassword=" in file
    assert answers(re.search("^password=(.*)$", file, re.MULTILINE)[1])  # type: ignore[index]
    given = console.ticket(ticket=types.Ticket(value="pass1234", expiry=120))
    assert (given.value, given.expiry) == ("pass1234", 120)
    assert answers("pass1234")
    made = vm.ticket()
    assert made.expiry == 7200
    assert (answers(made.value), answers("pass1234")) == (True, not here.real)
    assert console.proxy_ticket().value
    with pytest.raises(ovirtsdk4.Error, match="1 to 8 characters") as long:
        vm.ticket(ticket=types.Ticket(value="too long for VNC"))
    assert long.value.code == 400


def test_machines_inherit_from_headless_templates_and_instance_types(connection: ovirtsdk4.Connection) -> None:
    system = connection.system_service()
    vms = system.vms_service()
    source = vms.add(described("source", console=types.Console(enabled=True)))

    template = system.templates_service().add(types.Template(name="bare", vm=types.Vm(id=source.id)))
    templated = system.templates_service().template_service(template.id)
    assert (template.display.type, template.console.enabled) == (types.DisplayType.VNC, True)
    templated.graphics_consoles_service().console_service(VNC_ID).remove()
    assert templated.get().display is None

    sizes = system.instance_types_service()
    size = sizes.add(types.InstanceType(name="bare-size", memory=2 * MEMORY))
    sized = sizes.instance_type_service(size.id)
    sized.graphics_consoles_service().console_service(VNC_ID).remove()
    assert sized.get().display is None

    by_template = vms.add(described("by-template", template=types.Template(name="bare")))
    assert (by_template.display, by_template.console.enabled) == (None, True)
    by_size = vms.add(
        types.Vm(name="by-size", cluster=DEFAULT, template=BLANK, instance_type=types.InstanceType(id=size.id))
    )
    assert (by_size.display, by_size.memory, by_size.instance_type.id) == (None, 2 * MEMORY, size.id)
    shown = vms.add(
        described("shown", template=types.Template(name="bare"), display=types.Display(type=types.DisplayType.SPICE))
    )
    assert (shown.display.type, shown.display.video_type) == (types.DisplayType.SPICE, types.VideoType.QXL)

    templated.graphics_consoles_service().add(VNC)
    sized.graphics_consoles_service().add(VNC)
    assert [each.get().display.type for each in (templated, sized)] == [types.DisplayType.VNC] * 2
    assert vms.vm_service(by_template.id).get().display is None

    for made in (source, by_template, by_size, shown):
        vms.vm_service(made.id).remove()
    templated.remove()
    sized.remove()


def test_a_pool_over_a_headless_template_has_headless_machines(connection: ovirtsdk4.Connection) -> None:
    system = connection.system_service()
    vms, pools = system.vms_service(), system.vm_pools_service()
    source = vms.add(described("for-pool", graphics_consoles=[]))
    assert source.display is None
    template = system.templates_service().add(types.Template(name="for-pool", vm=types.Vm(name="for-pool")))
    made = pools.add(types.VmPool(name="row", size=2, cluster=DEFAULT, template=types.Template(id=template.id)))
    members = vms.list(search="pool=row")
    assert [(vm.name, vm.display, vm.vm_pool.id) for vm in members] == [
        ("row-1", None, made.id),
        ("row-2", None, made.id),
    ]
    pool = pools.pool_service(made.id)
    assert pool.update(types.VmPool(size=3)).size == 3
    pool.remove()
    assert vms.list(search="pool=row") == []
    vms.vm_service(source.id).remove()
    system.templates_service().template_service(template.id).remove()


def test_what_the_sdk_has_read_it_can_put_back_unchanged(connection: ovirtsdk4.Connection) -> None:
    vms = connection.system_service().vms_service()
    vm = vms.vm_service(vms.add(described("same", usb=types.Usb(enabled=True))).id)
    before = vm.get()
    vm.update(vm.get())
    vm.update(vm.get(follow="graphics_consoles"))
    after = vm.get()
    assert after.display.type == before.display.type == types.DisplayType.VNC
    vm.update(types.Vm(graphics_consoles=[]))
    vm.update(vm.get())
    assert vm.get().display is None
    vm.graphics_consoles_service().add(VNC)
    assert vm.get().usb.enabled
    vm.remove()


def test_a_wrong_password_is_an_authentication_error(here: Installation) -> None:
    connection = here.connect(password="wrong")
    with pytest.raises(ovirtsdk4.AuthError, match="access_denied"):
        connection.test(raise_exception=True)


@pytest.mark.parametrize("address", ["/ovirt-engine/api/", "/ovirt-engine/api/v4"])
def test_the_sdk_may_write_the_address_otherwise(here: Installation, address: str) -> None:
    connection = here.connect(url=f"{here.url}{address}")
    connection.test(raise_exception=True)
    (blank,) = connection.system_service().templates_service().list(search="name=Blank")
    assert connection.follow_link(blank).name == "Blank"
    connection.close()


def test_a_revoked_token_opens_nothing(here: Installation) -> None:
    first = here.connect()
    token = first.authenticate()
    first.close()
    with pytest.raises(ovirtsdk4.AuthError):
        ovirtsdk4.Connection(url=f"{here.url}/ovirt-engine/api", token=token).system_service().get()
