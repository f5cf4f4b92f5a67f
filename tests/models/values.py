"""Values of the domain for property tests: only such as can exist."""

from hypothesis import strategies as st

from vms.domain.console import (
    HEADLESS,
    KEYBOARD_LAYOUTS,
    MONITORS,
    SPICE,
    SPICE_AND_VNC,
    VNC,
    Choice,
    Console,
    Firmware,
    Level,
    Protocol,
    Video,
)
from vms.domain.machine import MEMORY_MIB, Boot, MachineSpec, Topology, VmType

SHOWN = st.sampled_from((VNC, SPICE, SPICE_AND_VNC))
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)


@st.composite
def consoles(draw: st.DrawFn) -> Console:
    graphics = draw(st.sampled_from((HEADLESS, VNC, SPICE, SPICE_AND_VNC)))
    return Console(
        graphics=graphics,
        video=draw(st.sampled_from(Video)) if graphics else None,
        serial=draw(st.booleans()),
        monitors=1 if Protocol.VNC in graphics else draw(st.sampled_from(MONITORS)),
        wants_usb=draw(st.booleans()),
        wants_smartcard=draw(st.booleans()),
        wants_sound=draw(st.booleans()),
        keyboard=draw(st.sampled_from(("", *KEYBOARD_LAYOUTS))),
        wants_file_transfer=draw(st.booleans()),
        wants_copy_paste=draw(st.booleans()),
        before=None if graphics else draw(st.none() | st.builds(Choice, SHOWN, st.sampled_from(Video))),
    )


@st.composite
def boots(draw: st.DrawFn) -> Boot:
    if not draw(st.booleans()):
        return Boot()
    return Boot(kernel=draw(NAMES), initrd=draw(st.just("") | NAMES), parameters=draw(st.just("") | NAMES))


def specs() -> st.SearchStrategy[MachineSpec]:
    small = st.sampled_from((1, 2, 3, 4))
    return st.builds(
        MachineSpec,
        id=st.uuids(),
        name=NAMES,
        level=st.sampled_from(Level),
        memory=st.integers(*MEMORY_MIB),
        cpu=st.builds(Topology, sockets=small, cores=small, threads=small),
        vm_type=st.sampled_from(VmType),
        firmware=st.sampled_from(Firmware),
        boot=boots(),
        console=consoles(),
        start_paused=st.booleans(),
    )
