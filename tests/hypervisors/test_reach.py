"""What keeps us from a daemon is told by what it, ssh or TLS said; where libvirt is too old, that is."""

from typing import Any

import pytest

from vms.domain.errors import Refusal

libvirt = pytest.importorskip("libvirt")

SSH = "qemu+ssh://root@host/system"
SAID = {
    # As libvirt 9.0 says it, with OpenSSH 9.2 (measured).
    "Cannot recv data: Host key verification failed.: Connection reset by peer": "ssh_key_unknown",
    "Cannot recv data: root@host: Permission denied (publickey).: Connection reset by peer": "ssh_refused",
    "End of file while reading data: virt-ssh-helper: cannot connect to '/var/run/libvirt/libvirt-sock': Failed to "
    "connect socket to '/var/run/libvirt/libvirt-sock': Permission denied: Input/output error": "libvirt_forbids",
    "Cannot recv data: sh: 1: nc: not found: Connection reset by peer": "helper_missing",
    "authentication failed: authentication failed": "password_refused",
    "no connection within 4 seconds": "no_answer",
    "something that nobody has heard before": "",
}


def test_what_is_said_tells_what_keeps_us() -> None:
    from vms.hypervisors.reach import why_not

    assert {said: why_not(SSH, said) for said in SAID} == SAID


def test_a_warning_that_fills_the_screen_becomes_a_sentence() -> None:
    from vms.hypervisors.reach import SAID as MOST
    from vms.hypervisors.reach import brief

    frame = "@" * 59
    told = brief(
        f"Cannot recv data: {frame}\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n{frame}\n" * 9
    )
    assert told.startswith("Cannot recv data: WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! Cannot")
    assert len(told) <= MOST


def test_ssh_is_told_that_nobody_sits_there() -> None:
    from vms.hypervisors.reach import dialled

    assert dialled(SSH) == f"{SSH}?no_tty=1"
    assert dialled(f"{SSH}?keyfile=/a") == f"{SSH}?keyfile=/a&no_tty=1"
    assert dialled("qemu:///system") == "qemu:///system"


class OldDaemon:
    """One of 2019."""

    def getLibVersion(self) -> int:  # noqa: N802
        return 5_000_000

    def __getattr__(self, verb: str) -> Any:
        raise AssertionError(f"{verb} is asked of a daemon that may not know it")


def test_a_libvirt_that_is_too_old_is_refused_before_it_is_asked_anything(tmp_path: Any) -> None:
    from vms.hypervisors.bootfiles import LocalFiles
    from vms.hypervisors.connections import Location
    from vms.hypervisors.offers import capabilities

    with pytest.raises(Refusal) as no:
        capabilities(OldDaemon(), Location(uri=SSH, files=LocalFiles(tmp_path)))
    assert (no.value.code, no.value.params["version"]) == ("HOST_TOO_OLD", "5.0.0")
