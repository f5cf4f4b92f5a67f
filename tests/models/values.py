"""Values of the domain for property tests: only such as can exist."""

from hypothesis import strategies as st

from vms.domain.console import (
    DISCONNECT_DELAY,
    HEADLESS,
    KEYBOARD_LAYOUTS,
    MONITORS,
    SPICE,
    SPICE_AND_VNC,
    VNC,
    Choice,
    Console,
    DisconnectAction,
    Level,
    Protocol,
    Recording,
    SingleSignOn,
    Video,
)
from vms.domain.firmware import Firmware
from vms.domain.machine import CPU_SHARES, IO_THREADS, MEMORY_MIB, PRIORITY, MachineSpec, MigrationMode, VmType
from vms.domain.osinfo import OPERATING_SYSTEMS
from vms.domain.parts import (
    RNG_RATE,
    Boot,
    BootDevice,
    BootOrder,
    Rng,
    RngSource,
    SerialNumber,
    SerialPolicy,
    Topology,
    Watchdog,
    WatchdogAction,
)

SHOWN = st.sampled_from((VNC, SPICE, SPICE_AND_VNC))
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)


@st.composite
def consoles(draw: st.DrawFn) -> Console:
    graphics = draw(st.sampled_from((HEADLESS, VNC, SPICE, SPICE_AND_VNC)))
    return Console(
        graphics=graphics,
        video=draw(st.sampled_from(Video)) if graphics else None,
        serial=draw(st.booleans()),
        recording=draw(st.sampled_from(Recording)),
        monitors=1 if Protocol.VNC in graphics else draw(st.sampled_from(MONITORS)),
        wants_usb=draw(st.booleans()),
        wants_smartcard=draw(st.booleans()),
        wants_sound=draw(st.booleans()),
        keyboard=draw(st.sampled_from(("", *KEYBOARD_LAYOUTS))),
        wants_file_transfer=draw(st.booleans()),
        wants_copy_paste=draw(st.booleans()),
        disconnect_action=draw(st.sampled_from(DisconnectAction)),
        disconnect_delay=draw(st.integers(*DISCONNECT_DELAY)),
        allow_reconnect=draw(st.booleans()),
        sso=draw(st.sampled_from(SingleSignOn)),
        spice_proxy=draw(st.sampled_from(("", "http://proxy:3128"))),
        before=None if graphics else draw(st.none() | st.builds(Choice, SHOWN, st.sampled_from(Video))),
    )


@st.composite
def boots(draw: st.DrawFn) -> Boot:
    cd = draw(st.just("") | NAMES)
    if not draw(st.booleans()):
        return Boot(cd=cd)
    return Boot(cd=cd, kernel=draw(NAMES), initrd=draw(st.just("") | NAMES), parameters=draw(st.just("") | NAMES))


@st.composite
def rngs(draw: st.DrawFn) -> Rng | None:
    rate = draw(st.none() | st.integers(*RNG_RATE))
    period = draw(st.none() | st.integers(*RNG_RATE)) if rate else None
    return draw(
        st.none() | st.builds(Rng, source=st.sampled_from(RngSource), bytes=st.just(rate), period=st.just(period))
    )


SERIAL_NUMBERS = st.sampled_from(
    (
        *(SerialNumber(policy=policy) for policy in SerialPolicy if policy != SerialPolicy.CUSTOM),
        SerialNumber(policy=SerialPolicy.CUSTOM, value="S-1"),
    )
)


@st.composite
def specs(draw: st.DrawFn) -> MachineSpec:
    small = st.sampled_from((1, 2, 3, 4))
    memory = draw(st.integers(*MEMORY_MIB))
    firmware = draw(st.sampled_from(Firmware))
    orders = st.lists(st.sampled_from(BootDevice), min_size=1, unique=True).map(tuple)
    return MachineSpec(
        id=draw(st.uuids()),
        name=draw(NAMES),
        level=draw(st.sampled_from(Level)),
        os=draw(st.sampled_from(sorted(OPERATING_SYSTEMS))),
        memory=memory,
        maximum_memory=draw(st.none() | st.integers(memory, MEMORY_MIB[1])),
        guaranteed_memory=draw(st.none() | st.integers(1, memory)),
        cpu=draw(st.builds(Topology, sockets=small, cores=small, threads=small)),
        cpu_model=draw(st.sampled_from(("", "Haswell", "host-passthrough"))),
        emulated_machine=draw(st.sampled_from(("", f"pc-{firmware.chipset}-7.2"))),
        vm_type=draw(st.sampled_from(VmType)),
        firmware=firmware,
        tpm=firmware.uefi and draw(st.booleans()),
        time_zone=draw(st.sampled_from(("", "Europe/Berlin"))),
        serial_number=draw(SERIAL_NUMBERS),
        boot_order=draw(st.builds(BootOrder, devices=orders, menu=st.booleans())),
        boot=draw(boots()),
        console=draw(consoles()),
        start_paused=draw(st.booleans()),
        hosts=draw(st.lists(st.uuids(), max_size=2).map(tuple)),
        migration=draw(st.sampled_from(MigrationMode)),
        restart=draw(st.booleans()),
        priority=draw(st.integers(*PRIORITY)),
        watchdog=draw(st.none() | st.builds(Watchdog, action=st.sampled_from(WatchdogAction))),
        cpu_shares=draw(st.just(0) | st.integers(*CPU_SHARES)),
        ballooning=draw(st.booleans()),
        io_threads=draw(st.integers(*IO_THREADS)),
        rng=draw(rngs()),
        custom_properties=draw(st.sampled_from(({}, {"hugepages": "2048"}))),
    )
