"""Addresses of hosts that lead to one daemon are known for that, however they are spelt."""

import pytest

from vms.domain.addresses import Way

SAME = (
    ("qemu+ssh://root@host/system", "qemu+ssh://admin@HOST:22/system?keyfile=/a/key", "qemu+tls://host/system"),
    ("qemu+tls://host.example.org./system", "qemu+tls://host.example.org:16514/system?pkipath=/pki"),
    ("qemu:///system", "qemu+unix:///system"),
    ("qemu+tcp://[2001:DB8::1]/system", "qemu+tcp://[2001:db8::1]:16509/system"),
)
OTHER = (
    ("qemu+ssh://host/system", "qemu+ssh://host:2222/system"),  # forwarded to another machine, say
    ("qemu+ssh://alice@host/session", "qemu+ssh://bob@host/session"),
    ("qemu:///system", "qemu:///session"),
    ("qemu:///system", "qemu+unix:///system?socket=/run/other"),
    ("qemu+ssh://one/system", "qemu+ssh://two/system"),
)


@pytest.mark.parametrize("uris", SAME)
def test_spellings_of_one_address_end_at_one_daemon(uris: tuple[str, ...]) -> None:
    assert len({Way.of(uri).end for uri in uris}) == 1


@pytest.mark.parametrize("uris", OTHER)
def test_other_addresses_end_at_others(uris: tuple[str, ...]) -> None:
    assert len({Way.of(uri).end for uri in uris}) == len(uris)
