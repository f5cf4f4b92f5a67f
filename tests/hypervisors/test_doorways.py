"""Screens and serial lines of another machine, in a network namespace of its own: who gets there, and who does not."""

import asyncio
import contextlib
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.consoles import rfb, spice
from tests.hypervisors import obedient
from tests.hypervisors.conftest import wait_until
from tests.hypervisors.hosts import NET, two_hosts
from tests.hypervisors.test_migration import Side
from vms.domain.console import SPICE_AND_VNC, Console, Protocol, Video
from vms.domain.errors import Refusal
from vms.domain.hosts import Endpoint
from vms.domain.machine import MachineSpec
from vms.domain.parts import Boot
from vms.domain.runonce import Run
from vms.domain.secret import Secret
from vms.domain.ticket import Ticket
from vms.hypervisors import private
from vms.wire import serial

pytestmark = [pytest.mark.hypervisor, pytest.mark.guests]

THERE = f"{NET}.1"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("there")


@pytest.fixture(scope="module")
def there(real_libvirt: None, home: Path) -> Iterator[Side]:
    """A host elsewhere whose QEMU has certificates for SPICE."""
    obedient.write_to(home)
    _certificates(home)
    with pytest.MonkeyPatch.context() as patch:
        more = f'spice_tls = 1\nspice_tls_x509_cert_dir = "{home}"\n'
        patch.setattr(private, "QEMU_CONF", private.QEMU_CONF + more)
        with two_hosts(home) as (daemon, _other):
            side = Side(daemon, home)
            yield side
            side.close()


def _certificates(home: Path) -> None:
    """An authority, and what it has signed for the host."""
    keys = [rsa.generate_private_key(65537, 2048) for _ in range(2)]
    ca, host = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in ("authority", THERE))
    now = datetime.now(UTC) - timedelta(minutes=1)

    def made(subject: x509.Name, key: Any, *extensions: tuple[Any, bool]) -> bytes:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(ca).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now)
        builder = builder.not_valid_after(now + timedelta(days=1))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(keys[0], hashes.SHA256()).public_bytes(Encoding.PEM)

    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(THERE))])
    (home / "ca-cert.pem").write_bytes(made(ca, keys[0], (x509.BasicConstraints(ca=True, path_length=None), True)))
    (home / "server-cert.pem").write_bytes(made(host, keys[1], (names, False)))
    plain = keys[1].private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    (home / "server-key.pem").write_bytes(plain)


def started(side: Side, **more: Any) -> tuple[UUID, dict[Protocol, Endpoint]]:
    """A machine with both protocols and a serial line; where its screens listen."""
    console = Console(graphics=SPICE_AND_VNC, video=Video.QXL, serial=True)
    boot = Boot(kernel=obedient.NAME)
    spec = MachineSpec(id=uuid4(), name=f"there-{uuid4().hex[:6]}", memory=64, console=console, boot=boot)
    seen = side.driver.start(Run(base=spec, job=uuid4(), **more))
    return spec.id, {endpoint.protocol: endpoint for endpoint in seen.endpoints}


def over_tls(port: int, authority: Path) -> ssl.SSLSocket:
    """A connection to the host that has a certificate of this authority's, in its own name."""
    trusting = ssl.create_default_context(cafile=authority)
    return trusting.wrap_socket(socket.create_connection((THERE, port), 5), server_hostname=THERE)


def test_a_screen_that_was_not_opened_is_reached_by_nobody_elsewhere(there: Side) -> None:
    machine, ends = started(there)
    for end in ends.values():
        for port in {end.port, end.tls_port} - {-1}:
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((THERE, port), 5)
    with pytest.raises(Refusal, match="CONSOLE_OUT_OF_REACH"):
        there.driver.open_screen(machine, Protocol.VNC)


def test_one_that_was_opened_lets_in_whoever_has_a_valid_ticket_and_nobody_else(there: Side) -> None:
    machine, ends = started(there, listen="0.0.0.0")
    vnc, plain = ends[Protocol.VNC], ends[Protocol.SPICE]
    assert (vnc.address, plain.address) == ("0.0.0.0", "0.0.0.0")

    def lets_in(protocol: Protocol, password: str) -> bool:
        if protocol == Protocol.VNC:
            return rfb.lets_in(THERE, vnc.port, password)
        with socket.create_connection((THERE, plain.port), 5) as line:
            return spice.lets_in(line, password)

    for protocol in Protocol:
        for guess in ("", "*dummy*", "x"):
            assert not lets_in(protocol, guess), f"nobody has been given a ticket for {protocol}"
        there.driver.set_ticket(machine, Ticket.of(protocol, Secret("ticket-1")))
        assert lets_in(protocol, "ticket-1")
        assert not lets_in(protocol, "ticket-2")
        there.driver.set_ticket(machine, Ticket.of(protocol, Secret("ticket-3"), 1))
        wait_until(lambda protocol=protocol: not lets_in(protocol, "ticket-3"), what="its end")  # type: ignore[misc]
    with there.driver.open_screen(machine, Protocol.VNC) as line:
        assert line.recv(12) == b"RFB 003.008\n", "and a browser comes the same way"


def test_where_the_host_has_certificates_spice_is_spoken_by_tls_alone(there: Side, home: Path) -> None:
    machine, ends = started(there, listen=THERE, secure=True)
    secure = ends[Protocol.SPICE]
    assert (secure.address, secure.port) == (THERE, -1)
    there.driver.set_ticket(machine, Ticket.of(Protocol.SPICE, Secret("ticket")))
    with over_tls(secure.tls_port, home / "ca-cert.pem") as line:
        assert spice.lets_in(line, "ticket")
    with over_tls(secure.tls_port, home / "ca-cert.pem") as line:
        assert not spice.lets_in(line, "other")


def test_a_serial_line_elsewhere_is_heard_and_typed_at(there: Side, tmp_path: Path) -> None:
    machine, _ends = started(there)
    words = [sys.executable, "-m", "vms.engine.broker", str(tmp_path), str(tmp_path / "logs"), "10", "30"]
    with subprocess.Popen(words, env=os.environ) as broker:
        try:
            wait_until(lambda: (tmp_path / serial.SOCKET_NAME).exists(), what="the broker")
            said = asyncio.run(_talk(tmp_path, machine, there.daemon.over_tcp))
        finally:
            broker.terminate()
    assert obedient.ANYTHING.encode() in said


async def _talk(run_dir: Path, machine: UUID, uri: str) -> bytes:
    _reader, engine = await serial.connect(run_dir)
    engine.write(serial.control(engine=True) + serial.control(host="there", at={"uri": uri}))
    reader, writer = await serial.connect(run_dir)
    writer.write(serial.control(join=str(machine), host="there", name="alice", may_type=True))
    frames, said = serial.Frames(), b""
    with closing(engine), closing(writer):
        for _ in range(60):  # firmware eats what is typed at it
            writer.write(serial.data(obedient.ANYTHING.encode()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    said += b"".join(came for came in frames.feed(await reader.read(65536)) if isinstance(came, bytes))
            if obedient.ANYTHING.encode() in said:
                break
    return said
