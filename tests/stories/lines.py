"""Somebody at a machine's serial console."""

import socket
import threading
from pathlib import Path

from vms.models import VM
from vms.wire import serial
from vms.wire.protocol import short_address


class AtTheLine:
    """At the broker's line from now on, as every browser is; `hang_up` at the end."""

    def __init__(self, run_dir: Path, vm: VM) -> None:
        self._line = socket.socket(socket.AF_UNIX)
        with short_address(run_dir / serial.SOCKET_NAME) as address:
            self._line.connect(address)
        self._line.sendall(serial.control(join=str(vm.pk), host=str(vm.host_id), name="admin", may_type=True))
        self._arrived = threading.Condition()
        self._said = b""
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    @property
    def said(self) -> str:
        with self._arrived:
            return self._said.decode(errors="replace")

    def types(self, keys: str) -> None:
        self._line.sendall(serial.data(keys.encode()))

    def hears(self, text: str, timeout: float = 60) -> None:
        with self._arrived:
            came = self._arrived.wait_for(lambda: text.encode() in self._said, timeout)
        assert came, f"{text!r} was not heard, but {self.said[-400:]!r}"

    def hang_up(self) -> None:
        self._line.shutdown(socket.SHUT_RDWR)
        self._reading.join()
        self._line.close()

    def _read(self) -> None:
        frames = serial.Frames()
        while piece := self._line.recv(65536):
            said = b"".join(came for came in frames.feed(piece) if isinstance(came, bytes))
            with self._arrived:
                self._said += said
                self._arrived.notify_all()
