"""The General tab as data: headings with their facts, for all kinds of machine and for both portals."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from vms import messages
from vms.domain.console import Console
from vms.domain.lifecycle import Status
from vms.domain.machine import FROM_INSTANCE_TYPE, MachineSpec
from vms.messages import Text
from vms.models import VM, Cluster, Hardware, InstanceType, Pool, Template

from . import doctor, guest
from .panels import Display, graphics_display, pool_type, version_of, video_display
from .tables import Fact
from .words import told

_NOTHING: Final = "–"


def general(row: Hardware, *, with_host: bool = True) -> list[tuple[str, list[Fact]]]:
    """The General tab; hosts are nothing to people without an administrative role."""
    heading, identity = _IDENTITIES[type(row)]
    running = row.running_console if isinstance(row, VM) else None
    spec = row.spec
    summary = [(_("Guest"), [*doctor.fact(row), *guest.summary(row)])] if isinstance(row, VM) else []
    return [
        (str(heading), [*_texts(row), *_run_on(row, with_host), *identity(row)]),
        *summary,
        (_("Console"), console_facts(row, running)),
        (_("System"), list(_parts(row, spec, _SYSTEM))),
        (_("Running"), list(_parts(row, spec, _RUNNING))),
    ]


def console_facts(row: Hardware, running: Console | None) -> list[Fact]:
    """What is configured of a console, with what the present run shows otherwise."""
    console = row.console
    graphics, video = graphics_display(row, running), video_display(row, running)
    facts = [
        Fact(_("Graphics protocol"), graphics.text, _tags(graphics)),
        Fact(messages.CHANGES["video_type"], video.text, _tags(video)),
        Fact(messages.CHANGES["serial"], told("serial", console.serial)),
        Fact(_("USB"), told("usb", console.usb)),
        *([Fact(messages.CHANGES["recording"], told("recording", console.recording))] if console.serial else []),
    ]
    if console.headless:
        return facts
    return [
        *facts,
        Fact(messages.CHANGES["monitors"], str(console.heads)),
        Fact(messages.CHANGES["sound"], told("sound", console.sound)),
        Fact(messages.CHANGES["smartcard"], told("smartcard", console.smartcard)),
        Fact(messages.CHANGES["keyboard"], console.keyboard or _("Default")),
        Fact(messages.FIELDS["disconnect_action"], told("disconnect_action", console.disconnect_action)),
        Fact(messages.CHANGES["sso"], told("sso", console.sso)),
    ]


def _texts(row: Hardware) -> list[Fact]:
    return [
        Fact(messages.FIELDS["description"], row.description or _NOTHING),
        Fact(messages.FIELDS["comment"], row.comment or _NOTHING),
    ]


def _run_on(row: Hardware, shown: bool) -> list[Fact]:
    if not shown or not isinstance(row, VM):
        return []
    return [Fact(_("Run On"), row.host.name if row.host and row.run else _NOTHING)]


def _vm(vm: VM) -> list[Fact]:
    ended = str(messages.ENDED.get(vm.ended, "")) if vm.status in {Status.DOWN, Status.PAUSED} else ""  # type: ignore[call-overload]
    return [
        Fact(_("Status"), str(messages.STATUSES[vm.status]), (ended,) if ended else ()),
        _cluster(vm.cluster),
        *_made_of(vm),
        *([Fact(_("Pool"), vm.pool.name)] if vm.pool else []),
        *([Fact(messages.FIELDS["stateless"], told("stateless", True))] if vm.stateless else []),
        _protected(vm),
        Fact(_("VM ID"), str(vm.pk)),
    ]


def _template(template: Template) -> list[Fact]:
    return [
        Fact(_("Version"), version_of(template)),
        _cluster(template.cluster),
        _protected(template),
        Fact(_("Template ID"), str(template.pk)),
    ]


def _prestarted(pool: Pool) -> str:
    if not pool.prestarted_vms:
        return _("None")
    ready = pool.vms.ready().count()
    return _("%(ready)s of %(wanted)s ready") % {"ready": ready, "wanted": pool.prestarted_vms}


def _pool(pool: Pool) -> list[Fact]:
    return [
        Fact(messages.FIELDS["size"], str(pool.size)),
        Fact(_("Type"), pool_type(pool), (_("stateful"),) if pool.stateful else ()),
        Fact(_("Maximum number of VMs per user"), str(pool.max_user_vms)),
        Fact(messages.FIELDS["prestarted_vms"], _prestarted(pool)),
        _cluster(pool.cluster),
        *_made_of(pool),
        _protected(pool),
        Fact(_("Pool ID"), str(pool.pk)),
    ]


def _instance_type(instance_type: InstanceType) -> list[Fact]:
    return [_protected(instance_type), Fact(_("Instance Type ID"), str(instance_type.pk))]


_IDENTITIES: Final[dict[type[Hardware], tuple[Text, Callable[[Any], list[Fact]]]]] = {
    VM: (gettext_lazy("Virtual machine"), _vm),
    Template: (gettext_lazy("Template"), _template),
    Pool: (gettext_lazy("Pool"), _pool),
    InstanceType: (gettext_lazy("Instance type"), _instance_type),
}


def _protected(row: Hardware) -> Fact:
    return Fact(messages.FIELDS["delete_protected"], told("delete_protected", row.delete_protected))


def _cluster(cluster: Cluster | None) -> Fact:
    tags = (_("level %(level)s") % {"level": cluster.level},) if cluster else ()
    return Fact(messages.FIELDS["cluster"], cluster.name if cluster else _NOTHING, tags)


def _made_of(row: VM | Pool) -> list[Fact]:
    latest = (_("latest version"),) if row.use_latest_version else ()
    return [
        Fact(messages.FIELDS["template"], str(row.template), latest),
        Fact(messages.FIELDS["instance_type"], str(row.instance_type or _("Custom"))),
    ]


Line = tuple[str, str, Callable[[MachineSpec], Any]]

# Part of the machine, key of its name and words, and its value; what is nothing special is not listed.
_SYSTEM: Final[tuple[Line, ...]] = (
    ("memory", "memory", lambda spec: spec.memory),
    ("maximum_memory", "maximum_memory", lambda spec: spec.maximum_memory),
    ("guaranteed_memory", "guaranteed_memory", lambda spec: spec.guaranteed_memory),
    ("cpu", "cpu", lambda spec: (spec.cpu.sockets, spec.cpu.cores, spec.cpu.threads)),
    ("cpu_model", "cpu_model", lambda spec: spec.cpu_model),
    ("emulated_machine", "emulated_machine", lambda spec: spec.emulated_machine),
    ("os", "os", lambda spec: spec.os),
    ("firmware", "firmware", lambda spec: spec.firmware),
    ("tpm", "tpm", lambda spec: spec.tpm or None),
    ("vm_type", "vm_type", lambda spec: spec.vm_type),
    ("time_zone", "time_zone", lambda spec: spec.time_zone),
    ("serial_number", "serial_number", lambda spec: (spec.serial_number.policy, spec.serial_number.value)),
    ("boot_order", "boot_devices", lambda spec: spec.boot_order.text),
    ("boot", "cd", lambda spec: spec.boot.cd),
    ("boot", "kernel", lambda spec: spec.boot.kernel),
    ("boot", "initrd", lambda spec: spec.boot.initrd),
    ("boot", "parameters", lambda spec: spec.boot.parameters),
)
_RUNNING: Final[tuple[Line, ...]] = (
    ("restart", "high_availability", lambda spec: spec.restart),
    ("priority", "priority", lambda spec: spec.priority),
    ("watchdog", "watchdog", lambda spec: spec.watchdog.action if spec.watchdog else None),
    ("migration", "migration", lambda spec: spec.migration),
    ("start_paused", "start_paused", lambda spec: spec.start_paused),
    ("cpu_shares", "cpu_shares", lambda spec: spec.cpu_shares),
    ("ballooning", "ballooning", lambda spec: spec.ballooning),
    ("io_threads", "io_threads", lambda spec: spec.io_threads),
    ("rng", "rng", lambda spec: (spec.rng.source, spec.rng.bytes, spec.rng.period) if spec.rng else ()),
    ("custom_properties", "custom_properties", lambda spec: tuple(sorted(spec.custom_properties.items()))),
)


def _parts(row: Hardware, spec: MachineSpec, lines: tuple[Line, ...]) -> Iterator[Fact]:
    """The parts that this kind of machine has and that say something: what is left to the host is not listed."""
    for part, key, value in lines:
        if isinstance(row, InstanceType) and part not in FROM_INSTANCE_TYPE:
            continue
        shown = value(spec)
        if shown not in (None, ""):
            yield Fact(messages.CHANGES.get(key) or messages.FIELDS[key], told(key, shown))


def _tags(display: Display) -> tuple[str, ...]:
    tags = [_("headless")] if display.headless else []
    if display.this_run:
        tags.append(_("%(shown)s (this run)") % {"shown": display.this_run})
    return tuple(tags)
