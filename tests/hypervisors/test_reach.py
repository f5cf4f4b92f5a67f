"""What keeps us from a daemon is told by what it, ssh or TLS said; where libvirt is too old, that is."""

import asyncio
import threading
from typing import Any
from uuid import uuid4

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
    "no connection within 4 seconds": "",  # it takes connections, and says nothing
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


def test_one_attempt_that_hangs_for_ever_does_not_keep_us_from_a_host_that_is_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    from vms.hypervisors import connections
    from vms.hypervisors.bootfiles import LocalFiles

    monkeypatch.setattr(connections, "OPENS_WITHIN", 0.05)
    there = connections.Connections(lambda: connections.Location(uri=SSH, files=LocalFiles(tmp_path)), "there")
    for_ever = threading.Event()
    with pytest.raises(TimeoutError):
        there._open_in_time(for_ever.wait)
    with pytest.raises(TimeoutError, match="still hangs"):
        there._open_in_time(lambda: "too soon")
    monkeypatch.setattr(connections, "AGAIN_AFTER", 0.0)
    assert there._open_in_time(lambda: "back") == "back"
    for_ever.set()


class SlowDaemon:
    """One whose connections stand, and are closed when nobody wants them any more."""

    closed = 0

    def isAlive(self) -> bool:  # noqa: N802
        return True

    def close(self) -> None:
        SlowDaemon.closed += 1

    def __getattr__(self, verb: str) -> Any:
        return lambda *_: None


def test_a_serial_line_waits_for_no_attempt_that_hangs_and_makes_few_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from vms.hypervisors import lines

    for name, value in (("ANSWERS_WITHIN", 0.02), ("REST", 0.0), ("HANGS", (0.1, 0.2)), ("_opened", lambda *_: "open")):
        monkeypatch.setattr(lines, name, value)
    answers, asked = threading.Event(), []

    def connect() -> SlowDaemon:
        asked.append(SSH)
        answers.wait(10)
        return SlowDaemon()

    async def flow() -> None:
        daemon = lines._Daemon({"uri": SSH})
        monkeypatch.setattr(daemon, "_connect", connect)
        for _ in range(20):
            with pytest.raises(TimeoutError):
                await daemon.stream(uuid4())
            await asyncio.sleep(0.01)
        answers.set()
        async with asyncio.timeout(5):
            while not SlowDaemon.closed:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert 1 < len(asked) < 10, "again after a while, not each time"
        assert await daemon.stream(uuid4()) == "open"

    asyncio.run(flow())
