"""A daemon that only the tests use, the tiny guest, and a serial line that one can talk to."""

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import pytest

from tests import distribution
from tests.needs import need
from vms.hypervisors import guest
from vms.hypervisors.private import PrivateDaemon


class SerialLine:
    """The serial console of a running domain: `send` types a line, `expect` waits for a text."""

    def __init__(self, domain: Any) -> None:
        import libvirt

        self._failure: type[Exception] = libvirt.libvirtError
        self._stream = domain.connect().newStream(0)
        domain.openConsole(None, self._stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
        self._arrived = threading.Condition()
        self._text = ""
        self._seen = 0
        self._ended = False
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def text(self) -> str:
        """Everything that has come so far."""
        with self._arrived:
            return self._text

    def send(self, line: str) -> None:
        """Type one line and its return."""
        self._stream.send(line.encode() + b"\r")

    def expect(self, text: str, timeout: float = 30) -> str:
        """Wait until `text` comes after what was last expected; return everything up to and with it.

        Raises AssertionError with what came instead after `timeout` seconds or at the end of the line.
        """
        with self._arrived:
            if not self._arrived.wait_for(lambda: self._ended or text in self._text[self._seen :], timeout):
                raise AssertionError(f"{text!r} did not come within {timeout} s, but {self._text[self._seen :]!r}")
            if text not in self._text[self._seen :]:
                raise AssertionError(f"the line ended without {text!r}, with {self._text[self._seen :]!r}")
            end = self._text.index(text, self._seen) + len(text)
            came, self._seen = self._text[self._seen : end], end
            return came

    def ask(self, command: str, timeout: float = 10) -> str:
        """Run a command in the guest's shell and return what it prints."""
        # The quotes keep the echo of what is typed apart from the marks that the shell prints.
        self.send(f"echo '<''<'; {command}; echo '>''>'")
        self.expect("<<\r\n", timeout)
        return self.expect(">>", timeout).removesuffix(">>").replace("\r\n", "\n").strip()

    def wait_for_end(self, timeout: float = 30) -> None:
        """Wait until the machine or its daemon has gone."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: self._ended, timeout):
                raise AssertionError(f"the line was still open after {timeout} s")

    def close(self) -> None:
        """Leave the line to others."""
        with contextlib.suppress(self._failure):  # the machine or the daemon may have gone first
            self._stream.abort()

    def _read(self) -> None:
        while True:
            try:
                data = self._stream.recv(4096)
            except self._failure:
                data = b""
            with self._arrived:
                self._text += (data or b"").decode(errors="replace")
                self._ended = not data
                self._arrived.notify_all()
            if not data:
                return


def wait_until(condition: Callable[[], Any], timeout: float = 15, what: str = "the condition") -> Any:
    """Poll until `condition` is true and return its value; fail with `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout} s")
        time.sleep(0.02)
    return value


@pytest.fixture(scope="session")
def real_libvirt() -> None:
    """Skips where no private daemon can be had."""
    need(None if os.geteuid() == 0 else "a private libvirtd needs root")
    need(None if shutil.which("libvirtd", path="/usr/sbin:/usr/bin") else "libvirtd is not installed")
    need(None if find_spec("libvirt") else "libvirt-python is not installed")


@pytest.fixture(scope="session")
def private_daemon(real_libvirt: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateDaemon]:
    """A libvirtd of this worker's own; its guests end with the tests."""
    daemon = PrivateDaemon(tmp_path_factory.mktemp("libvirt"))
    daemon.start()
    yield daemon
    daemon.stop(guests=True)


@pytest.fixture(scope="session")
def guest_files(pytestconfig: pytest.Config) -> guest.GuestFiles:
    """The demonstration guest, kept between runs."""
    cache = pytestconfig.cache
    assert cache is not None, "the guest is kept in pytest's cache"
    try:
        return guest.build(Path(cache.mkdir("demo-guest")))
    except guest.GuestUnavailable as refused:
        need(f"the guest cannot be built: {refused}")
        raise


@pytest.fixture(scope="session")
def debian(pytestconfig: pytest.Config) -> dict[str, Path]:
    """A real distribution on a disk, once for each of `distribution.SETTINGS`, kept between runs."""
    assert pytestconfig.cache is not None, "the images are kept in pytest's cache"
    try:
        return distribution.build(Path(pytestconfig.cache.mkdir("debian")))
    except distribution.DebianUnavailable as refused:
        need(f"no Debian can be made: {refused}")
        raise
