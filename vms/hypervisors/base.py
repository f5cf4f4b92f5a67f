"""What every hypervisor promises: a dozen verbs that take values and return values, about machines known by id."""

import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Final, Protocol
from uuid import UUID

from vms.domain.console import Protocol as Graphics
from vms.domain.disks import Disk, Room, Storage, Volume
from vms.domain.guest import Guest
from vms.domain.hosts import Capabilities, Ended, Observation
from vms.domain.lifecycle import Status
from vms.domain.machine import MachineSpec
from vms.domain.runonce import Run
from vms.domain.statistics import Counters
from vms.domain.ticket import Ticket


@dataclass(frozen=True, slots=True)
class Glance:
    """The little that a quick look at all machines tells of one."""

    status: Status
    ended: Ended | None = None


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program in a guest ended, and what it said: of a long speech the beginning."""

    code: int
    said: str


# Bytes of what a program in a guest says.
HEARD: Final = 128 * 1024


class Screen(StrEnum):
    """What happened at a machine's graphical consoles: somebody came, or the last one has gone."""

    ENTERED = "entered"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to a machine, or (None) events may have been lost and everything has to be looked at again.

    One about a `screen` tells nothing else of the machine.
    """

    machine: UUID | None
    rebooted: bool = False
    screen: Screen | None = None


# Told what part of a long call is done, in percent; False to have it called off.
Progress = Callable[[int], bool]


def heedless(_percent: int) -> bool:
    """Nobody looks, and nobody calls it off."""
    return True


NOTHING: Final[Mapping[str, bytes]] = {}

# Called from a thread of the driver's: it must return at once and call no verb.
Listener = Callable[[Event], None]


class Store(Protocol):
    """The storage of one host: pools of volumes, known by the ids of their storage domains and by their names.

    Every verb may be begun again after a crash. `STORAGE_FULL` is refused where there is no room, `IMAGE_MISSING` where
    a volume is not there; whatever a refused verb has begun is gone.
    """

    def open(self, storage: Storage) -> Room:
        """Make it usable on this host, whatever has to be made or mounted for that; how much room there is."""

    def close(self, storage: Storage) -> None:
        """Leave it alone from now on; what lies there stays."""

    def names(self, storage: Storage) -> Collection[str]:
        """The volumes that lie there, whoever made them."""

    def create(self, volume: Volume) -> None:
        """An empty volume, or one that begins as its backing is; one of that name is left as it is."""

    def begins_as(self, volume: Volume) -> str | None:
        """The name of the volume that one begins as by its own words, whatever it is said to."""

    def copy(self, volume: Volume, source: Volume, progress: Progress = heedless) -> None:
        """A volume with all that another one shows, backings included; one of that name is made anew.

        Refused with `JOB_CANCELLED` when it is called off."""

    def resize(self, volume: Volume, machine: UUID | None = None) -> None:
        """Let a volume have the size that it is said to have; `machine` runs and writes to it."""

    def rebase(self, volume: Volume, progress: Progress = heedless) -> None:
        """Let a volume that nobody has open begin as the backing that it is said to have, or as nothing; what it shows
        stays the same. Refused with `JOB_CANCELLED` when it is called off."""

    def delete(self, storage: Storage, name: str) -> None:
        """Remove a volume; one that is not there is as good as removed."""

    def used(self, volume: Volume) -> int:
        """The bytes that a volume takes on its storage."""

    def write(self, volume: Volume, content: BinaryIO, progress: Progress = heedless) -> None:
        """A volume with this content, which is of its format; one of that name is made anew.

        Refused with `JOB_CANCELLED` when it is called off."""

    def run_in(self, run: UUID, disks: Sequence[Disk], program: str, *, write: bool, progress: Progress) -> str:
        """Have a shell's program run in the system that lies on a machine's disks while it is off; what it has said.

        With `write` what it has changed is on the disks afterwards, all of it or nothing; else nothing ever is. Asked
        for again after a crash, under the same `run`, it ends what was begun. Takes minutes; called off by `progress`
        with `JOB_CANCELLED`, and refused with `OFFLINE_UNAVAILABLE` or what else was found with `OFFLINE_…`."""

    def read(self, volume: Volume, into: BinaryIO) -> None:
        """Write a volume's content, as it lies there, into a file."""


class Hypervisor(Protocol):
    """One host. Every verb may be called from any thread and raises `Refusal` when it cannot keep its promise:
    `HOST_NOT_RESPONDING` (nothing answers within its time limit; whether it was done is unknown), `BOOT_FILE_MISSING`,
    or `HYPERVISOR_REFUSED` with the hypervisor's own words in `message`. After a refusal nothing is half done.
    """

    def open(self, listener: Listener) -> None:
        """Connect and deliver events from now on; refused with the missing package where there is no hypervisor.

        May be called again after the connection was lost."""

    def close(self) -> None:
        """Disconnect; machines run on."""

    @property
    def alive(self) -> bool:
        """Whether the connection stands; never blocks."""

    def capabilities(self) -> Capabilities:
        """What the host offers."""

    def start(self, run: Run, *, paused: bool = False, seed: Mapping[str, bytes] = NOTHING) -> Observation:
        """Define `run.base` persistently and start `run.spec`; the run is written into the live definition alone.

        Idempotent for one `run.job`: a machine that this job has started already is observed and nothing is done.
        `paused` lets it wait for `resume`, whatever the run says. Refused when it runs by another job. What the
        hypervisor chose (machine type, addresses) is in the answer. The files of a `seed` are in a drive of their own
        for this run, from which cloud-init takes them; they are gone with it."""

    def start_own(self, run: Run, *, paused: bool = False) -> Observation:
        """Start a machine whose definition is somebody else's: what `run` has otherwise is patched into that, the rest
        stays as it is. As idempotent as `start`, and refused where nothing is defined."""

    def define(self, spec: MachineSpec, own: str = "") -> Observation:
        """Write a machine's definition without starting it: the text of somebody else's, or (empty) ours."""

    def normalise(self, spec: MachineSpec) -> Observation:
        """Give somebody else's definition the console that `spec` has, as our rules write it; all else stays."""

    def resume(self, machine: UUID) -> Observation:
        """Let a paused machine go on, or restore a saved one, with the run that it had."""

    def shutdown(self, machine: UUID) -> None:
        """Ask the guest to power off (ACPI); returns when asked, not when followed."""

    def stop(self, machine: UUID) -> None:
        """Power off at once and discard a saved state; a machine that is off already is left so."""

    def reboot(self, machine: UUID) -> None:
        """Ask the guest to reboot; returns when asked."""

    def reset(self, machine: UUID) -> None:
        """Press the reset button; the run goes on, whatever `set_cold_reboot` says about a guest's own reboot."""

    @property
    def store(self) -> Store:
        """The storage that the machines of this host have their disks on."""

    def give_disks(self, run: Run) -> None:
        """Give a running machine the disks that the run has now, no more and no fewer, and have it remember that run.

        Idempotent. Refused with `DISK_NOT_RELEASED` when the guest does not let go of a disk."""

    def write_elsewhere(self, run: Run) -> None:
        """From now on a running machine writes into the images that the run names for its disks, which begin as those
        that it wrote into before; all at one moment or none. Idempotent; it remembers that run."""

    def pull(self, machine: UUID, disk: Disk, base: Volume | None, progress: Progress = heedless) -> None:
        """Take into the image that a running machine writes into all that lies between it and an earlier one, or all
        there is; returns when it begins as that. Idempotent.

        Refused, and everything as it was, with `STORAGE_FULL` or with `JOB_CANCELLED` when it is called off."""

    def push(self, machine: UUID, disk: Disk, upper: Volume, lower: Volume, progress: Progress = heedless) -> None:
        """Take what an earlier image of a running machine holds into the one that it begins as; returns when what
        began as `upper` begins as `lower`. Idempotent.

        Refused like `pull`: what the machine sees is as it was then, but `lower` by itself may be neither of both."""

    def suspend(self, machine: UUID, progress: Progress = heedless) -> None:
        """Save the machine's state to disk and stop it; refused with `JOB_CANCELLED`, and running on, when it is called
        off."""

    def prepare(self, run: Run) -> None:
        """Have at hand what the run boots from, so that its machine can come here."""

    def migrate(
        self,
        machine: UUID,
        to: "Hypervisor",
        progress: Progress = heedless,
        *,
        address: str = "",
        listen: str = "",
        paused: bool = False,
    ) -> Observation:
        """Move a running machine with its run and its definition to another host of the same kind, without a pause that
        its guest would notice; what is seen of it there afterwards.

        Idempotent: one that has moved already is observed, and one that somebody died over is settled first, so that
        one host has it. `address` is where the other host is reached, if not at that of its URI, `listen` where
        screens listen there, if not where they do here; `paused` lets it wait
        there for `resume`. Refused with `JOB_CANCELLED` when it is called off; whatever goes wrong, it runs on where
        it was."""

    def set_cold_reboot(self, machine: UUID, cold: bool) -> None:
        """From now on a reboot inside the guest ends the run (`Ended.REBOOT`), or again restarts it within."""

    def rewire(self, run: Run) -> None:
        """Bring a running machine's network cards to those of `run`, which it carries from then on: cards are plugged
        in, taken out, put on other networks, and their links go up and down.

        Idempotent. Refused with `GUEST_KEEPS_DEVICE` where the guest does not let go of a card in time; what was done
        until then is carried. For a machine that is off nothing is done."""

    def set_ticket(self, machine: UUID, ticket: Ticket) -> None:
        """From now on the running console takes this password in place of any before, until it expires.

        Whoever is connected over SPICE is disconnected; over VNC that is not possible. Refused with
        `GRAPHICS_CONSOLE_NOT_FOUND` where the run shows no such console."""

    def open_screen(self, machine: UUID, screen: Graphics) -> socket.socket:
        """A connection to the running console that is the caller's alone to close, past the console's password where
        the host is this one; no other way leads there. Refused like a ticket, and with `CONSOLE_OUT_OF_REACH` where no
        way leads to the host's consoles."""

    def screenshot(self, machine: UUID) -> bytes:
        """What the running machine's screen shows, as a PNG; refused with `GRAPHICS_CONSOLE_NOT_FOUND` where the run
        shows none."""

    def serial_at(self) -> Mapping[str, str] | None:
        """Where another process reaches the serial lines of this host: `uri`, `username`, `password`; None where there
        are none."""

    def in_guest(self, machine: UUID, command: Sequence[str]) -> bool:
        """Have the guest agent run a program, and do not wait for its end; False where no agent answers."""

    def run_in_guest(self, machine: UUID, command: Sequence[str], *, within: float) -> Ran:
        """Have the guest agent run a program and wait for its end, so many seconds at most.

        Refused with `GUEST_AGENT_SILENT` where no agent answers, `GUEST_AGENT_FORBIDS` where it runs nothing for
        anybody, `GUEST_PROGRAM_HANGS` after the time, when the program may still run, and
        `GUEST_AGENT_ANSWER_ILLEGAL` for nonsense."""

    def ask_guest(self, machine: UUID) -> Guest:
        """What a running machine's guest tells of itself and its network of it; a silent agent takes some seconds.

        May never return while the machine's QEMU hangs: callers bound their wait and keep a thread for it."""

    def measure(self, machine: UUID) -> Counters:
        """What a running machine has used; may never return while its QEMU hangs, like `ask_guest`."""

    def remove(self, machine: UUID) -> None:
        """Forget a machine that is off, its saved state and firmware variables included; unknown ones are left so."""

    def observe(self, machine: UUID) -> Observation | None:
        """Everything about one machine; None when the host does not know it. `ended` tells a reboot that ended the run
        from a power-off as long as the connection saw it happen."""

    def definitions(self) -> Mapping[UUID, str]:
        """What every machine of the host would be started with by its hypervisor alone, in that one's own words."""

    def glance(self) -> Mapping[UUID, Glance]:
        """Every machine that the host knows, quickly: no more than its state."""
