"""A run as a document: what the database keeps of it comes back whole, or not at all."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vms
from vms.domain.console import (
    HEADLESS,
    KEYBOARD_LAYOUTS,
    MONITORS,
    SPICE,
    SPICE_AND_VNC,
    VNC,
    Choice,
    Console,
    Level,
    Protocol,
    Video,
)
from vms.domain.devices import devices
from vms.domain.document import VERSION, run_from_document, run_to_document
from vms.domain.firmware import Firmware
from vms.domain.machine import MachineSpec, VmType
from vms.domain.networks import Nic
from vms.domain.parts import Boot, Topology
from vms.domain.runonce import Run, RunOnce

FLAG = st.booleans()
SCREENS = st.sampled_from([VNC, SPICE, SPICE_AND_VNC])
LAYOUTS = st.sampled_from(["", *KEYBOARD_LAYOUTS])
NAMES = st.text("aZ09", min_size=1, max_size=8)
TEXTS = st.text("aä€😀 =<&\"'\\", max_size=8)


@st.composite
def consoles(draw: st.DrawFn) -> Console:
    graphics = draw(st.one_of(st.just(HEADLESS), SCREENS))
    return Console(
        graphics=graphics,
        video=draw(st.sampled_from(Video)) if graphics else None,
        serial=draw(FLAG),
        monitors=1 if Protocol.VNC in graphics else draw(st.sampled_from(MONITORS)),
        wants_usb=draw(FLAG),
        wants_smartcard=draw(FLAG),
        wants_sound=draw(FLAG),
        keyboard=draw(LAYOUTS),
        wants_file_transfer=draw(FLAG),
        wants_copy_paste=draw(FLAG),
        before=draw(st.one_of(st.none(), st.builds(Choice, SCREENS, st.sampled_from(Video)))),
    )


@st.composite
def boots(draw: st.DrawFn) -> Boot:
    if draw(FLAG):
        return Boot()
    return Boot(kernel=draw(NAMES), initrd=draw(st.one_of(st.just(""), NAMES)), parameters=draw(TEXTS))


MACHINES = st.builds(
    MachineSpec,
    id=st.uuids(),
    name=NAMES,
    level=st.sampled_from(Level),
    memory=st.integers(64, 4 << 20),
    cpu=st.builds(Topology, sockets=st.integers(1, 8), cores=st.integers(1, 8), threads=st.integers(1, 4)),
    vm_type=st.sampled_from(VmType),
    firmware=st.sampled_from(Firmware),
    boot=boots(),
    console=consoles(),
    start_paused=FLAG,
    nics=st.lists(st.builds(Nic, mac=TEXTS), max_size=3).map(tuple),
    machine=TEXTS,
    addresses=st.dictionaries(TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=2), max_size=2),
)


@st.composite
def overlays(draw: st.DrawFn) -> RunOnce:
    graphics = draw(st.one_of(st.none(), st.just(HEADLESS), SCREENS))
    return RunOnce(
        graphics=graphics,
        video=draw(st.sampled_from(Video)) if graphics else None,
        keyboard=draw(st.one_of(st.none(), LAYOUTS)),
        serial=draw(st.one_of(st.none(), FLAG)),
        start_paused=draw(st.one_of(st.none(), FLAG)),
        volatile=draw(FLAG),
    )


RUNS = st.builds(
    Run, base=MACHINES, once=st.one_of(st.none(), overlays()), job=st.one_of(st.none(), st.uuids())
)  # fmt: skip

RUN = Run(
    base=MachineSpec(
        id=UUID(int=5),
        name="web-1",
        console=Console(serial=True).as_headless(),
        nics=(Nic(mac="52:54:00:00:00:01"),),
        machine="pc-q35-7.2",
        addresses={"ua-1": {"type": "pci", "slot": "0x01"}},
    ),
    once=RunOnce(graphics=SPICE_AND_VNC, video=Video.QXL, volatile=True),
    job=UUID(int=6),
)

# As version 1 wrote it; databases and live definitions hold such documents, so a change here needs a new version.
WRITTEN = """
{"version": 1,
 "base": {
  "id": "00000000-0000-0000-0000-000000000005", "name": "web-1", "level": "4.8", "memory": 1024,
  "cpu": {"sockets": 1, "cores": 1, "threads": 1}, "vm_type": "server", "firmware": "bios",
  "boot": {"kernel": "", "initrd": "", "parameters": ""},
  "console": {
   "graphics": [], "video": null, "serial": true, "monitors": 1, "wants_usb": false, "wants_smartcard": false,
   "wants_sound": false, "keyboard": "", "wants_file_transfer": true, "wants_copy_paste": true,
   "before": {"graphics": ["vnc"], "video": "vga"}},
  "start_paused": false, "nics": [{"mac": "52:54:00:00:00:01"}], "machine": "pc-q35-7.2",
  "addresses": {"ua-1": {"slot": "0x01", "type": "pci"}}},
 "once": {
  "graphics": ["spice", "vnc"], "video": "qxl", "keyboard": null, "serial": null, "start_paused": null,
  "volatile": true},
 "job": "00000000-0000-0000-0000-000000000006"}
"""


SEEDS = ("1", "2")


def stored(run: Run) -> Any:
    """The document as a database gives it back."""
    return json.loads(json.dumps(run_to_document(run)))


@given(RUNS)
def test_a_run_comes_back_from_its_document(run: Run) -> None:
    assert run_from_document(stored(run)) == run


@given(consoles())
def test_what_a_console_remembers_comes_back_though_consoles_compare_without_it(console: Console) -> None:
    run = run_from_document(stored(Run(base=replace(RUN.base, console=console))))
    assert run is not None
    assert run.base.console.before == console.before


def test_every_process_writes_the_protocols_in_the_same_order() -> None:
    # Sets of names are ordered by a hash that is new in each process; these two seeds order them differently.
    written = [_protocols_written_by_a_process(seed) for seed in SEEDS]
    assert written == ["spice vnc", "spice vnc"]


def _protocols_written_by_a_process(seed: str) -> str:
    program = """
from uuid import UUID
from vms.domain.console import SPICE_AND_VNC, Console, Video
from vms.domain.document import run_to_document
from vms.domain.machine import MachineSpec
from vms.domain.runonce import Run

console = Console(graphics=SPICE_AND_VNC, video=Video.QXL)
document = run_to_document(Run(base=MachineSpec(id=UUID(int=5), name="web-1", console=console)))
print(*document["base"]["console"]["graphics"])
"""
    environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(vms.__path__[0]).parent)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_run_is_written_as_version_1_wrote_it() -> None:
    assert _without_what_came_later(stored(RUN), json.loads(WRITTEN)) == json.loads(WRITTEN)


def _without_what_came_later(now: Any, then: Any) -> Any:
    """The document without the keys that version 1 got since: what lacks them is still read, with their defaults."""
    if isinstance(now, dict) and isinstance(then, dict):
        return {key: _without_what_came_later(value, then[key]) for key, value in now.items() if key in then}
    if isinstance(now, list) and isinstance(then, list):
        return [_without_what_came_later(*pair) for pair in zip(now, then, strict=True)]
    return now


def test_what_version_1_wrote_is_read() -> None:
    assert run_from_document(json.loads(WRITTEN)) == RUN


@pytest.mark.parametrize("version", [None, 0, 2, -1, "1", [1], {"major": 1}])
def test_what_another_version_wrote_is_not_read(version: object) -> None:
    assert run_from_document(stored(RUN) | {"version": version}) is None


def test_a_document_without_a_version_is_not_read() -> None:
    assert run_from_document({key: value for key, value in stored(RUN).items() if key != "version"}) is None


@pytest.mark.parametrize("document", [None, True, 0, "", "{}", [], [1], {}, {"version": VERSION}, {"base": {}}])
def test_what_is_no_run_is_not_read(document: object) -> None:
    assert run_from_document(document) is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("base", "console", "video"), "vga"),
        (("base", "console", "graphics"), ["vnc"]),
        (("base", "console", "graphics"), ["rdp"]),
        (("base", "console", "video"), "none"),
        (("base", "console", "monitors"), 3),
        (("base", "console", "before", "graphics"), []),
        (("base", "console", "keyboard"), "xx"),
        (("base", "level"), "4.9"),
        (("base", "id"), "web-1"),
        (("base", "name"), "../../etc"),
        (("base", "memory"), 0),
        (("base", "cpu", "sockets"), 1 << 70),
        (("base", "boot", "kernel"), "/etc/shadow"),
        (("base", "addresses"), {"ua-1": {"slot": 1}}),
        (("once", "graphics"), ["rdp"]),
        (("once", "video"), None),
        (("once", "keyboard"), "xx"),
        (("job",), "latest"),
    ],
)
def test_a_damaged_document_is_not_read(path: tuple[str, ...], value: object) -> None:
    document = stored(RUN)
    part = document
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    assert run_from_document(document) is None


def _leaves(part: Any) -> list[tuple[Any, Any]]:
    if not isinstance(part, dict | list):
        return []
    keys = list(part) if isinstance(part, dict) else list(range(len(part)))
    return [(part, key) for key in keys] + [leaf for key in keys for leaf in _leaves(part[key])]


JUNK = st.recursive(
    st.none() | FLAG | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.sampled_from(list(Video)),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@given(st.data())
def test_a_document_with_anything_in_any_place_is_a_usable_run_or_none(data: st.DataObject) -> None:
    document = stored(RUN)
    for _ in range(data.draw(st.integers(1, 2))):
        part, key = data.draw(st.sampled_from(_leaves(document)))
        if data.draw(FLAG):
            part[key] = data.draw(JUNK)
        else:
            del part[key]
    run = run_from_document(document)
    assert run is None or devices(run.spec)
