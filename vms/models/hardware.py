"""What VM, Template, Pool and InstanceType share: the columns of a machine, and the values they stand for.

The constraints repeat the laws of `vms.domain` so that no caller, shell or migration can store what the domain would
refuse to build; a test proves the two equal over every combination.
"""

from collections.abc import Mapping
from typing import ClassVar, Final
from uuid import uuid4

from django.db import models
from django.db.models import F, Q
from django.db.models.lookups import LessThanOrEqual
from django.utils.translation import gettext_lazy as _

from vms.domain.console import (
    KEYBOARD_LAYOUTS,
    MONITORS,
    SPICE_AND_VNC,
    Choice,
    Console,
    Firmware,
    Graphics,
    Level,
    Offer,
    Protocol,
    Video,
)
from vms.domain.machine import CPUS, MEMORY_MIB, NAME_LENGTH, Address, Boot, MachineSpec, Nic, Topology, VmType

NONE: Final = "none"
IS_HEADLESS: Final = Q(display_type=NONE)

FIRMWARES: Final = ((Firmware.BIOS.value, _("BIOS")), (Firmware.UEFI.value, _("UEFI")))
VM_TYPES: Final = (
    (VmType.DESKTOP.value, _("Desktop")),
    (VmType.SERVER.value, _("Server")),
    (VmType.HIGH_PERFORMANCE.value, _("High Performance")),
)
_VIDEOS: Final = [video.value for video in Video]
_REMEMBERED: Final[dict[str, Graphics]] = {
    "vnc": frozenset({Protocol.VNC}),
    "spice": frozenset({Protocol.SPICE}),
    "spice+vnc": SPICE_AND_VNC,
}

_LAWS: Final[dict[str, Q]] = {
    "headless_is_one_fact": Q(display_type=NONE, vnc=False, spice=False)
    | (Q(display_type__in=_VIDEOS) & (Q(vnc=True) | Q(spice=True))),
    "monitors_fit_the_graphics": Q(monitors__in=MONITORS) & (Q(vnc=False) | Q(monitors=1)),
    "only_headless_remembers": Q(last_display_type="", last_graphics="")
    | Q(display_type=NONE, last_display_type__in=_VIDEOS, last_graphics__in=list(_REMEMBERED)),
    "keyboard_is_known": Q(keyboard__in=["", *KEYBOARD_LAYOUTS]),
    "memory_in_range": Q(memory__range=MEMORY_MIB),
    "cpus_in_range": Q(sockets__range=(1, CPUS), cores__range=(1, CPUS), threads__range=(1, CPUS))
    & Q(LessThanOrEqual(F("sockets") * F("cores") * F("threads"), CPUS)),
    "boot_needs_a_kernel": ~Q(kernel="") | Q(initrd="", parameters=""),
    "kinds_are_known": Q(firmware__in=[value for value, _label in FIRMWARES])
    & Q(vm_type__in=[value for value, _label in VM_TYPES]),
}


class Hardware(models.Model):
    """A machine's configuration. `display_type`, `vnc` and `spice` are read here only: ask `console`."""

    CONSOLE_FIELDS: ClassVar[tuple[str, ...]] = (
        *("display_type", "vnc", "spice", "serial_console", "monitors", "usb", "smartcard", "sound", "keyboard"),
        *("file_transfer", "copy_paste", "last_display_type", "last_graphics"),
    )
    SPEC_FIELDS: ClassVar[tuple[str, ...]] = (
        *("name", "memory", "sockets", "cores", "threads", "vm_type", "firmware", "kernel", "initrd", "parameters"),
        *("start_paused", *CONSOLE_FIELDS),
    )

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    name = models.CharField(_("name"), max_length=NAME_LENGTH)
    description = models.CharField(_("description"), max_length=4000, blank=True)
    comment = models.CharField(_("comment"), max_length=4000, blank=True)
    delete_protected = models.BooleanField(_("delete protection"), default=False)

    memory = models.PositiveBigIntegerField(_("memory size"), default=1024, help_text=_("in MiB"))
    sockets = models.PositiveIntegerField(_("virtual sockets"), default=1)
    cores = models.PositiveIntegerField(_("cores per virtual socket"), default=1)
    threads = models.PositiveIntegerField(_("threads per core"), default=1)
    vm_type = models.CharField(_("optimized for"), max_length=24, choices=VM_TYPES, default=VmType.SERVER.value)
    firmware = models.CharField(_("firmware"), max_length=8, choices=FIRMWARES, default=Firmware.BIOS.value)
    kernel = models.CharField(_("kernel"), max_length=255, blank=True)
    initrd = models.CharField(_("initial ram disk"), max_length=255, blank=True)
    parameters = models.CharField(_("kernel parameters"), max_length=2000, blank=True)
    start_paused = models.BooleanField(_("start in pause mode"), default=False)

    display_type = models.CharField(_("video type"), max_length=8, default=Video.VGA.value)
    vnc = models.BooleanField("VNC", default=True)
    spice = models.BooleanField("SPICE", default=False)
    serial_console = models.BooleanField(_("serial console"), default=False)
    monitors = models.PositiveSmallIntegerField(_("monitors"), default=1)
    usb = models.BooleanField(_("USB"), default=False)
    smartcard = models.BooleanField(_("smartcard"), default=False)
    sound = models.BooleanField(_("sound card"), default=False)
    keyboard = models.CharField(_("VNC keyboard layout"), max_length=8, blank=True)
    file_transfer = models.BooleanField(_("SPICE file transfer"), default=True)
    copy_paste = models.BooleanField(_("SPICE clipboard copy and paste"), default=True)
    last_display_type = models.CharField(max_length=8, blank=True, editable=False)
    last_graphics = models.CharField(max_length=16, blank=True, editable=False)

    class Meta:
        abstract = True
        ordering: ClassVar[tuple[str, ...]] = ("name", "id")
        constraints = tuple(
            models.CheckConstraint(name=f"%(class)s_{name}", condition=law) for name, law in _LAWS.items()
        )

    def __str__(self) -> str:
        return self.name

    @property
    def console(self) -> Console:
        shown = {Protocol.VNC: self.vnc, Protocol.SPICE: self.spice}
        return Console(
            graphics=frozenset(protocol for protocol, there in shown.items() if there),
            video=None if self.display_type == NONE else Video(self.display_type),
            serial=self.serial_console,
            monitors=self.monitors,
            wants_usb=self.usb,
            wants_smartcard=self.smartcard,
            wants_sound=self.sound,
            keyboard=self.keyboard,
            wants_file_transfer=self.file_transfer,
            wants_copy_paste=self.copy_paste,
            before=Choice(_REMEMBERED[self.last_graphics], Video(self.last_display_type))
            if self.last_graphics
            else None,
        )

    @console.setter
    def console(self, console: Console) -> None:
        before = console.before
        self.display_type = console.video.value if console.video else NONE
        self.vnc = Protocol.VNC in console.graphics
        self.spice = Protocol.SPICE in console.graphics
        self.serial_console = console.serial
        self.monitors = console.monitors
        self.usb = console.wants_usb
        self.smartcard = console.wants_smartcard
        self.sound = console.wants_sound
        self.keyboard = console.keyboard
        self.file_transfer = console.wants_file_transfer
        self.copy_paste = console.wants_copy_paste
        self.last_display_type = before.video.value if before else ""
        self.last_graphics = "+".join(sorted(before.graphics)) if before else ""

    @property
    def spec(self) -> MachineSpec:
        """The configured machine; a VM adds its cards and what its first start pinned."""
        return MachineSpec(
            id=self.id,
            name=self.name,
            level=self.level or Level.V4_8,
            memory=self.memory,
            cpu=Topology(sockets=self.sockets, cores=self.cores, threads=self.threads),
            vm_type=VmType(self.vm_type),
            firmware=Firmware(self.firmware),
            boot=Boot(kernel=self.kernel, initrd=self.initrd, parameters=self.parameters),
            console=self.console,
            start_paused=self.start_paused,
            nics=self._nics(),
            machine=self._pinned_machine(),
            addresses=self._pinned_addresses(),
        )

    @spec.setter
    def spec(self, spec: MachineSpec) -> None:
        self.name = spec.name
        self.memory = spec.memory
        self.sockets, self.cores, self.threads = spec.cpu.sockets, spec.cpu.cores, spec.cpu.threads
        self.vm_type = spec.vm_type.value
        self.firmware = spec.firmware.value
        self.kernel, self.initrd, self.parameters = spec.boot.kernel, spec.boot.initrd, spec.boot.parameters
        self.start_paused = spec.start_paused
        self.console = spec.console

    @property
    def level(self) -> Level | None:
        """The compatibility level that rules the devices; None without a cluster (Blank, instance types)."""
        cluster = getattr(self, "cluster", None)
        return Level(cluster.level) if cluster else None

    def offer(self, spec: MachineSpec | None = None) -> Offer:
        """What the cluster makes possible for this machine, or for `spec` in its place."""
        cluster = getattr(self, "cluster", None)
        return (spec or self.spec).offer(self.level, cluster.graphics if cluster else SPICE_AND_VNC)

    def _nics(self) -> tuple[Nic, ...]:
        return ()

    def _pinned_machine(self) -> str:
        return ""

    def _pinned_addresses(self) -> Mapping[str, Address]:
        return {}
