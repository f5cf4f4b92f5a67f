"""The file that a remote viewer opens a console with."""

from vms.domain.console import Protocol
from vms.domain.hosts import Endpoint
from vms.domain.secret import Secret
from vms.domain.viewerfile import write


def lines(endpoint: Endpoint, **more: Secret) -> list[str]:
    return write(endpoint, title="web", **more).splitlines()


def test_it_says_which_protocol_listens_where() -> None:
    told = lines(Endpoint(protocol=Protocol.VNC, address="10.0.0.1", port=5901))
    assert told[:4] == ["[virt-viewer]", "type=vnc", "host=10.0.0.1", "port=5901"]
    assert not [line for line in told if line.startswith(("tls-port", "password"))]


def test_a_port_that_does_not_listen_is_not_told() -> None:
    told = lines(Endpoint(protocol=Protocol.SPICE, address="host", tls_port=5902))
    assert "tls-port=5902" in told
    assert not [line for line in told if line.startswith("port")]


def test_a_password_is_told_where_there_is_one() -> None:
    endpoint = Endpoint(protocol=Protocol.VNC, address="host", port=5900)
    assert "password=secret" in lines(endpoint, password=Secret("secret"))


def test_it_names_the_machine_and_is_deleted_after_use() -> None:
    told = lines(Endpoint(protocol=Protocol.VNC, address="host", port=5900))
    assert "delete-this-file=1" in told
    assert [line for line in told if line.startswith("title=web ")]
