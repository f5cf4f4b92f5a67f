"""What VM, Template, Pool and InstanceType share: the columns of a machine, and the values they stand for.

The constraints repeat the laws of `vms.domain` so that no caller, shell or migration can store what the domain would
refuse to build; a test proves the two equal over every combination.
"""

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any, ClassVar, Final
from uuid import UUID, uuid4

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.db.models.lookups import LessThanOrEqual
from django.utils.translation import gettext_lazy as _

from vms.domain.console import (
    DISCONNECT_DELAY,
    KEYBOARD_LAYOUTS,
    MONITORS,
    PROXY_LENGTH,
    SPICE_AND_VNC,
    Console,
    DisconnectAction,
    Level,
    Offer,
    Protocol,
    Recording,
    SingleSignOn,
    Video,
)
from vms.domain.disks import Disk
from vms.domain.firmware import Firmware
from vms.domain.machine import (
    CPU_SHARES,
    IO_THREADS,
    MEMORY_MIB,
    NAME_LENGTH,
    PRIORITY,
    Address,
    MachineSpec,
    MigrationMode,
    VmType,
)
from vms.domain.osinfo import DEFAULT, OPERATING_SYSTEMS
from vms.domain.parts import (
    CPUS,
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

from . import screens
from .choices import (
    BOOT_ORDERS,
    DISCONNECT_ACTIONS,
    FIRMWARES,
    MIGRATIONS,
    RECORDINGS,
    RNG_SOURCES,
    SERIAL_POLICIES,
    SIGN_ONS,
    VM_TYPES,
    WATCHDOG_ACTIONS,
)
from .fields import EncryptedField
from .networks import CardHolder
from .screens import NONE

IS_HEADLESS: Final = Q(display_type=NONE)


_VIDEOS: Final = [video.value for video in Video]


def _one_of(**choices: Iterable[tuple[str, Any]]) -> Q:
    return Q(**{f"{column}__in": [value for value, _label in known] for column, known in choices.items()})


_LAWS: Final[dict[str, Q]] = {
    "headless_is_one_fact": Q(display_type=NONE, vnc=False, spice=False)
    | (Q(display_type__in=_VIDEOS) & (Q(vnc=True) | Q(spice=True))),
    "monitors_fit_the_graphics": Q(monitors__in=MONITORS) & (Q(vnc=False) | Q(monitors=1)),
    "only_headless_remembers": Q(last_display_type="", last_graphics="")
    | Q(display_type=NONE, last_display_type__in=_VIDEOS, last_graphics__in=list(screens.GRAPHICS)),
    "keyboard_is_known": Q(keyboard__in=["", *KEYBOARD_LAYOUTS]),
    "memory_in_range": Q(memory__range=MEMORY_MIB),
    "cpus_in_range": Q(sockets__range=(1, CPUS), cores__range=(1, CPUS), threads__range=(1, CPUS))
    & Q(LessThanOrEqual(F("sockets") * F("cores") * F("threads"), CPUS)),
    "memory_in_order": (Q(maximum_memory=None) | Q(maximum_memory__range=(F("memory"), MEMORY_MIB[1])))
    & (Q(guaranteed_memory=None) | Q(guaranteed_memory__range=(1, F("memory")))),
    "boot_needs_a_kernel": ~Q(kernel="") | Q(initrd="", parameters=""),
    "boot_order_is_known": Q(boot_devices__in=BOOT_ORDERS),
    "tpm_needs_uefi": Q(tpm=False) | Q(firmware__in=[each.value for each in Firmware if each.uefi]),
    "serial_number_fits": Q(serial_policy=SerialPolicy.CUSTOM.value) & ~Q(serial_value="")
    | Q(serial_policy__in=[policy.value for policy in SerialPolicy if policy != SerialPolicy.CUSTOM], serial_value=""),
    "rng_fits": Q(rng_source="", rng_bytes=None, rng_period=None)
    | Q(rng_source__in=[source.value for source in RngSource])
    & (Q(rng_bytes=None, rng_period=None) | Q(rng_bytes__range=RNG_RATE))
    & (Q(rng_period=None) | Q(rng_period__range=RNG_RATE)),
    "shares_in_range": Q(cpu_shares=0) | Q(cpu_shares__range=CPU_SHARES),
    "policies_in_range": Q(priority__range=PRIORITY, io_threads__range=IO_THREADS)
    & Q(disconnect_delay__range=DISCONNECT_DELAY),
    "kinds_are_known": _one_of(
        firmware=FIRMWARES,
        vm_type=VM_TYPES,
        migration=MIGRATIONS,
        disconnect_action=DISCONNECT_ACTIONS,
        sso=SIGN_ONS,
        recording=RECORDINGS,
        watchdog_action=(("", ""), *WATCHDOG_ACTIONS),
        os=[(key, "") for key in OPERATING_SYSTEMS],
    ),
}


class Hardware(CardHolder, models.Model):
    """A machine's configuration. `display_type`, `vnc` and `spice` are read here only: ask `console`."""

    CONSOLE_FIELDS: ClassVar[tuple[str, ...]] = (
        *("display_type", "vnc", "spice", "serial_console", "monitors", "usb", "smartcard", "sound", "keyboard"),
        *("file_transfer", "copy_paste", "disconnect_action", "disconnect_delay", "allow_reconnect", "sso"),
        *("recording", "spice_proxy", "last_display_type", "last_graphics"),
    )
    SPEC_FIELDS: ClassVar[tuple[str, ...]] = (
        *("name", "os", "memory", "maximum_memory", "guaranteed_memory", "sockets", "cores", "threads", "cpu_model"),
        *("emulated_machine", "vm_type", "firmware", "tpm", "time_zone", "serial_policy", "serial_value"),
        *("boot_devices", "boot_menu", "cd", "kernel", "initrd", "parameters", "start_paused", "host_ids", "migration"),
        *("high_availability", "priority", "watchdog_action", "cpu_shares", "ballooning", "io_threads", "rng_source"),
        *("rng_bytes", "rng_period", "custom_properties", *CONSOLE_FIELDS),
    )

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    name = models.CharField(_("name"), max_length=NAME_LENGTH)
    description = models.CharField(_("description"), max_length=4000, blank=True)
    comment = models.CharField(_("comment"), max_length=4000, blank=True)
    delete_protected = models.BooleanField(_("delete protection"), default=False)

    os = models.CharField(
        _("operating system"),
        max_length=32,
        default=DEFAULT,
        choices=[(system.key, system.name) for system in OPERATING_SYSTEMS.values()],
    )
    memory = models.PositiveBigIntegerField(_("memory size"), default=1024, help_text=_("in MiB"))
    maximum_memory = models.PositiveBigIntegerField(_("maximum memory"), null=True, blank=True)
    guaranteed_memory = models.PositiveBigIntegerField(_("physical memory guaranteed"), null=True, blank=True)
    sockets = models.PositiveIntegerField(_("virtual sockets"), default=1)
    cores = models.PositiveIntegerField(_("cores per virtual socket"), default=1)
    threads = models.PositiveIntegerField(_("threads per core"), default=1)
    cpu_model = models.CharField(_("custom CPU"), max_length=64, blank=True)
    emulated_machine = models.CharField(_("custom emulated machine"), max_length=64, blank=True)
    vm_type = models.CharField(_("optimized for"), max_length=24, choices=VM_TYPES, default=VmType.SERVER.value)
    firmware = models.CharField(_("firmware"), max_length=8, choices=FIRMWARES, default=Firmware.BIOS.value)
    tpm = models.BooleanField("TPM", default=False)
    time_zone = models.CharField(_("hardware clock time offset"), max_length=64, blank=True)
    serial_policy = models.CharField(
        _("serial number policy"), max_length=8, choices=SERIAL_POLICIES, default=SerialPolicy.NONE.value
    )
    serial_value = models.CharField(_("custom serial number"), max_length=64, blank=True)
    boot_devices = models.CharField(_("boot order"), max_length=32, default=BootDevice.HD.value)
    boot_menu = models.BooleanField(_("boot menu"), default=False)
    cd = models.CharField(_("CD"), max_length=255, blank=True)
    kernel = models.CharField(_("kernel"), max_length=255, blank=True)
    initrd = models.CharField(_("initial ram disk"), max_length=255, blank=True)
    parameters = models.CharField(_("kernel parameters"), max_length=2000, blank=True)
    start_paused = models.BooleanField(_("start in pause mode"), default=False)
    host_ids = models.JSONField(_("hosts"), default=list, blank=True)
    migration = models.CharField(
        _("migration mode"), max_length=16, choices=MIGRATIONS, default=MigrationMode.MIGRATABLE.value
    )
    high_availability = models.BooleanField(_("highly available"), default=False)
    priority = models.PositiveSmallIntegerField(_("priority"), default=1)
    watchdog_action = models.CharField(_("watchdog"), max_length=8, blank=True, choices=WATCHDOG_ACTIONS)
    cpu_shares = models.PositiveIntegerField(_("CPU shares"), default=0)
    ballooning = models.BooleanField(_("memory ballooning"), default=True)
    io_threads = models.PositiveSmallIntegerField(_("I/O threads"), default=0)
    rng_source = models.CharField(
        _("random generator"), max_length=8, blank=True, choices=RNG_SOURCES, default=RngSource.URANDOM.value
    )
    rng_bytes = models.PositiveIntegerField(_("bytes in a period"), null=True, blank=True)
    rng_period = models.PositiveIntegerField(_("period in milliseconds"), null=True, blank=True)
    custom_properties = models.JSONField(_("custom properties"), default=dict, blank=True)
    # What REST's clients have said and no column has, by oVirt's path: of the first boot, and what nothing uses yet.
    kept = models.JSONField(default=dict, blank=True, editable=False)

    initialization_password = EncryptedField(blank=True, default="", editable=False)

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
    disconnect_action = models.CharField(
        _("console disconnect action"),
        max_length=12,
        choices=DISCONNECT_ACTIONS,
        default=DisconnectAction.LOCK_SCREEN.value,
    )
    disconnect_delay = models.PositiveIntegerField(_("disconnect action delay"), default=0)
    allow_reconnect = models.BooleanField(_("disable strict user checking"), default=False)
    sso = models.CharField(
        _("single sign on method"), max_length=12, choices=SIGN_ONS, default=SingleSignOn.GUEST_AGENT.value
    )
    recording = models.CharField(_("serial log"), max_length=8, choices=RECORDINGS, default=Recording.HEADLESS.value)
    spice_proxy = models.CharField(_("SPICE proxy"), max_length=PROXY_LENGTH, blank=True)
    last_display_type = models.CharField(max_length=8, blank=True, editable=False)
    last_graphics = models.CharField(max_length=16, blank=True, editable=False)

    # What lists are sorted and searched by, and the database makes of the columns above.
    folded = models.GeneratedField(
        expression=Upper("name"), output_field=models.CharField(max_length=NAME_LENGTH), db_persist=True
    )
    vcpus = models.GeneratedField(
        expression=F("sockets") * F("cores") * F("threads"),
        output_field=models.PositiveIntegerField(),
        db_persist=True,
    )

    class Meta:
        abstract = True
        ordering: ClassVar[tuple[str, ...]] = ("name", "id")
        constraints = tuple(
            models.CheckConstraint(name=f"%(class)s_{name}", condition=law) for name, law in _LAWS.items()
        )
        indexes: ClassVar[tuple[models.Index, ...]] = (
            models.Index(fields=("folded", "name"), name="%(class)s_by_name"),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def console(self) -> Console:
        return screens.configured(*(getattr(self, name) for name in Hardware.CONSOLE_FIELDS))

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
        self.disconnect_action = console.disconnect_action.value
        self.disconnect_delay = console.disconnect_delay
        self.allow_reconnect = console.allow_reconnect
        self.sso = console.sso.value
        self.spice_proxy = console.spice_proxy
        self.recording = console.recording.value
        self.last_display_type = before.video.value if before else ""
        self.last_graphics = screens.word(before.graphics) if before else ""

    @property
    def spec(self) -> MachineSpec:
        """The configured machine; a VM adds its cards and what its first start pinned."""
        return MachineSpec(
            id=self.id,
            name=self.name,
            level=self.level or Level.V4_8,
            os=self.os,
            memory=self.memory,
            maximum_memory=self.maximum_memory,
            guaranteed_memory=self.guaranteed_memory,
            cpu=Topology(sockets=self.sockets, cores=self.cores, threads=self.threads),
            cpu_model=self.cpu_model,
            emulated_machine=self.emulated_machine,
            vm_type=VmType(self.vm_type),
            firmware=Firmware(self.firmware),
            tpm=self.tpm,
            time_zone=self.time_zone,
            serial_number=SerialNumber(policy=SerialPolicy(self.serial_policy), value=self.serial_value),
            boot_order=BootOrder(
                devices=tuple(BootDevice(name) for name in self.boot_devices.split(",")), menu=self.boot_menu
            ),
            boot=Boot(cd=self.cd, kernel=self.kernel, initrd=self.initrd, parameters=self.parameters),
            console=self.console,
            start_paused=self.start_paused,
            hosts=tuple(UUID(host) for host in self.host_ids),
            migration=MigrationMode(self.migration),
            restart=self.high_availability,
            priority=self.priority,
            watchdog=Watchdog(action=WatchdogAction(self.watchdog_action)) if self.watchdog_action else None,
            cpu_shares=self.cpu_shares,
            ballooning=self.ballooning,
            io_threads=self.io_threads,
            rng=self._rng(),
            custom_properties=dict(self.custom_properties),
            nics=self._nics(),
            disks=self._disks(),
            machine=self._pinned_machine(),
            addresses=self._pinned_addresses(),
        )

    @spec.setter
    def spec(self, spec: MachineSpec) -> None:
        self.name, self.os = spec.name, spec.os
        self.memory = spec.memory
        self.maximum_memory, self.guaranteed_memory = spec.maximum_memory, spec.guaranteed_memory
        self.sockets, self.cores, self.threads = spec.cpu.sockets, spec.cpu.cores, spec.cpu.threads
        self.cpu_model, self.emulated_machine = spec.cpu_model, spec.emulated_machine
        self.vm_type = spec.vm_type.value
        self.firmware, self.tpm = spec.firmware.value, spec.tpm
        self.time_zone = spec.time_zone
        self.serial_policy, self.serial_value = spec.serial_number.policy.value, spec.serial_number.value
        self.boot_devices, self.boot_menu = spec.boot_order.text, spec.boot_order.menu
        self.cd, self.kernel = spec.boot.cd, spec.boot.kernel
        self.initrd, self.parameters = spec.boot.initrd, spec.boot.parameters
        self.start_paused = spec.start_paused
        self.host_ids, self.migration = [str(host) for host in spec.hosts], spec.migration.value
        self.high_availability, self.priority = spec.restart, spec.priority
        self.watchdog_action = spec.watchdog.action.value if spec.watchdog else ""
        self.cpu_shares, self.ballooning, self.io_threads = spec.cpu_shares, spec.ballooning, spec.io_threads
        rng = spec.rng
        self.rng_source = rng.source.value if rng else ""
        self.rng_bytes, self.rng_period = (rng.bytes, rng.period) if rng else (None, None)
        self.custom_properties = dict(spec.custom_properties)
        self.console = spec.console

    @property
    def level(self) -> Level | None:
        """The compatibility level that rules the devices; None without a cluster (Blank, instance types)."""
        cluster = getattr(self, "cluster", None)
        return Level(cluster.level) if cluster else None

    @property
    def cluster_firmware(self) -> Firmware:
        """What the cluster gives machines that have no template of their own."""
        cluster = getattr(self, "cluster", None)
        return Firmware(cluster.firmware) if cluster else Firmware.BIOS

    def offer(self, spec: MachineSpec | None = None) -> Offer:
        """What the cluster makes possible for this machine, or for `spec` in its place."""
        cluster = getattr(self, "cluster", None)
        return (spec or self.spec).offer(self.level, cluster.graphics if cluster else SPICE_AND_VNC)

    def _rng(self) -> Rng | None:
        if not self.rng_source:
            return None
        return Rng(source=RngSource(self.rng_source), bytes=self.rng_bytes, period=self.rng_period)

    def _disks(self) -> tuple[Disk, ...]:
        return ()

    def _pinned_machine(self) -> str:
        return ""

    def _pinned_addresses(self) -> Mapping[str, Address]:
        return {}


# In one go: a page of a list asks a hundred rows for all of them.
_CONSOLE_COLUMNS: Final = attrgetter(*Hardware.CONSOLE_FIELDS)
