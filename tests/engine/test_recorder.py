"""The parts of the serial broker: what a line keeps, how it is framed, and what is written down of it."""

from pathlib import Path
from uuid import uuid4

import pytest

from vms.domain.scrollback import Scrollback
from vms.domain.transcript import Retention
from vms.engine import recorder
from vms.wire import serial
from vms.wire.protocol import WireError

MACHINE = uuid4()


def test_scrollback_keeps_the_last_lines_within_bounds() -> None:
    kept = Scrollback(lines=3, size=100)
    for number in range(9):
        kept.add(f"{number}\n".encode())
    assert kept.text == b"6\n7\n8\n"
    kept.add(b"y" * 500)
    assert kept.text == b"y" * 100
    kept.clear()
    assert kept.text == b""


def test_frames_are_put_together_from_any_pieces() -> None:
    whole = serial.data(b"one") + serial.data(b"two") + serial.control(take=True) + serial.data(b"")
    frames = serial.Frames()
    assert list(frames.feed(whole)) == [b"onetwo", {"take": True}]
    said = [came for byte in whole for came in serial.Frames.feed(frames, bytes((byte,)))]
    assert said == [b"one", b"two", {"take": True}]
    for wrong in (b"x\0\0\0\0", b"c\0\0\0\x02[]", b"c\0\0\0\x01{"):
        with pytest.raises(WireError):
            list(serial.Frames().feed(wrong))


def test_a_long_run_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    kept = recorder.Recorder(tmp_path, MACHINE, fresh=True, retention=Retention(head=10, tail=10))
    for _ in range(20):
        kept.write(b"01234567")
    place = tmp_path / str(MACHINE)
    sizes = {path.suffix: path.stat().st_size for path in place.iterdir()}
    assert sizes[".log"] == 10
    assert sum(sizes.values()) <= 10 + 3 * 18


def test_old_runs_go_and_so_does_everything_with_the_machine(tmp_path: Path) -> None:
    place = tmp_path / str(MACHINE)
    place.mkdir()
    for day in range(1, 20):
        (place / f"202611{day:02}T000000000000.log").touch()
    (place / "20200101T000000000000.log").touch()
    recorder.prune_all(tmp_path, Retention(runs=5, days=30))
    assert recorder.runs(place) == [f"202611{day}T000000000000" for day in range(15, 20)]
    (place / "20261115T000000000000.tail").touch()
    recorder.Recorder(tmp_path, MACHINE, fresh=True, retention=Retention(runs=5)).write(b"a new run")
    assert len(recorder.runs(place)) == 5
    assert not list(place.glob("20261115*"))
    recorder.forget(tmp_path, MACHINE)
    assert not place.exists()


def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path: Path) -> None:
    kept = recorder.Recorder(tmp_path, MACHINE, fresh=True)
    (tmp_path / str(MACHINE)).rmdir()
    (tmp_path / str(MACHINE)).touch()
    kept.write(b"lost")
    kept.write(b"lost")
