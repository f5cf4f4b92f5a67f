"""What a machine is made of beside its console, told of the columns of its row."""

from collections.abc import Mapping
from typing import Any, Final

from vms.api.document import Node
from vms.api.faults import invalid
from vms.domain.firmware import Firmware
from vms.domain.machine import HOST_PASSTHROUGH, MigrationMode, VmType
from vms.domain.parts import BootDevice, RngSource, SerialPolicy

from .fields import (
    BOOLEAN,
    NUMBER,
    SIZE,
    TEXT,
    Field,
    References,
    Schema,
    Telling,
    Type,
    Words,
    list_of,
    listed,
    object_of,
)
from .types import FIRMWARE, VM_TYPE

_DEVICE: Final = Words({device.value: device for device in BootDevice})
_AFFINITY: Final = Words({mode.value: mode for mode in MigrationMode})
_SERIAL: Final = Words({policy.value: policy for policy in SerialPolicy})
_RNG: Final = Words({source.value: source for source in RngSource})


class _BootDevices(Type):
    """The order of devices, kept as one text."""

    def schema(self) -> Schema:
        return list_of("device", _DEVICE.schema())

    def tell(self, value: str, telling: Telling) -> Node:
        return {"device": value.split(",")}

    def read(self, node: Node, path: str) -> Any:
        return tuple(_DEVICE.read(each, f"{path}.device") for each in listed(node, "device", path))


class _CpuMode(Type):
    """Whether the guest sees the host's own processor; `custom` is every other choice."""

    def schema(self) -> Schema:
        return _MODE.schema()

    def tell(self, value: str, telling: Telling) -> Node:
        return "host_passthrough" if value == HOST_PASSTHROUGH else None

    def read(self, node: Node, path: str) -> Any:
        if _MODE.read(node, path) == HOST_PASSTHROUGH:
            return HOST_PASSTHROUGH
        return lambda spec: "" if spec.cpu_model == HOST_PASSTHROUGH else spec.cpu_model


_MODE: Final = Words({"host_passthrough": HOST_PASSTHROUGH, "custom": ""})


class _Rate(Type):
    """How much randomness there is at most; an empty element without a limit, for clients look into it."""

    def schema(self) -> Schema:
        return object_of(bytes=NUMBER.schema(), period=NUMBER.schema())

    def tell(self, value: tuple[int | None, int | None], telling: Telling) -> Node:
        return {name: number for name, number in zip(("bytes", "period"), value, strict=True) if number is not None}


class _Properties(Type):
    """Custom properties: pairs of name and value."""

    endless = True

    def schema(self) -> Schema:
        return list_of("custom_property", object_of(name=TEXT.schema(), value=TEXT.schema()))

    def tell(self, value: Mapping[str, str], telling: Telling) -> Node:
        pairs = [{"name": name, "value": text} for name, text in value.items()]
        return {"custom_property": pairs} if pairs else None

    def read(self, node: Node, path: str) -> Any:
        pairs = {}
        for each in listed(node, "custom_property", path):
            if not isinstance(each, Mapping) or not each.get("name"):
                raise invalid(path, "…", "custom_property with name and value")
            pairs[TEXT.read(each["name"], f"{path}.name")] = TEXT.read(str(each.get("value", "")), f"{path}.value")
        return pairs


def _model(it: Any) -> str | None:
    return it.cpu_model if it.cpu_model != HOST_PASSTHROUGH else None


FIELDS: Final = (
    Field("memory", SIZE, lambda it: it.memory, "machine.memory"),
    Field("memory_policy/ballooning", BOOLEAN, lambda it: it.ballooning, "machine.ballooning"),
    Field(
        *("memory_policy/guaranteed", SIZE),
        *(lambda it: it.guaranteed_memory or it.memory, "machine.guaranteed_memory"),
    ),
    Field("memory_policy/max", SIZE, lambda it: it.maximum_memory or it.memory, "machine.maximum_memory"),
    Field("cpu/architecture", TEXT, lambda _it: "x86_64"),
    Field("cpu/mode", _CpuMode(), lambda it: it.cpu_model or None, "machine.cpu_model"),
    Field("cpu/topology/cores", NUMBER, lambda it: it.cores, "cpu.cores"),
    Field("cpu/topology/sockets", NUMBER, lambda it: it.sockets, "cpu.sockets"),
    Field("cpu/topology/threads", NUMBER, lambda it: it.threads, "cpu.threads"),
    # After the mode: a model that is named besides is the one that is meant.
    Field("custom_cpu_model", TEXT, lambda it: _model(it) or None, "machine.cpu_model"),
    Field("custom_emulated_machine", TEXT, lambda it: it.emulated_machine or None, "machine.emulated_machine"),
    Field("cpu_shares", NUMBER, lambda it: it.cpu_shares, "machine.cpu_shares"),
    Field("io/threads", NUMBER, lambda it: it.io_threads, "machine.io_threads"),
    Field("type", VM_TYPE, lambda it: VmType(it.vm_type), "machine.vm_type"),
    Field("bios/type", FIRMWARE, lambda it: Firmware(it.firmware), "machine.firmware"),
    Field("tpm_enabled", BOOLEAN, lambda it: it.tpm, "machine.tpm"),
    Field("bios/boot_menu/enabled", BOOLEAN, lambda it: it.boot_menu, "boot_order.menu"),
    Field("os/type", TEXT, lambda it: it.os, "machine.os"),
    Field("os/boot/devices", _BootDevices(), lambda it: it.boot_devices, "boot_order.devices"),
    Field("os/kernel", TEXT, lambda it: it.kernel or None, "boot.kernel"),
    Field("os/initrd", TEXT, lambda it: it.initrd or None, "boot.initrd"),
    Field("os/cmdline", TEXT, lambda it: it.parameters or None, "boot.parameters"),
    Field("time_zone/name", TEXT, lambda it: it.time_zone or None, "machine.time_zone"),
    Field("serial_number/policy", _SERIAL, lambda it: SerialPolicy(it.serial_policy), "serial_number.policy"),
    Field("serial_number/value", TEXT, lambda it: it.serial_value or None, "serial_number.value"),
    Field("high_availability/enabled", BOOLEAN, lambda it: it.high_availability, "machine.restart"),
    Field("high_availability/priority", NUMBER, lambda it: it.priority, "machine.priority"),
    Field("rng_device/source", _RNG, lambda it: it.rng_source or None, "rng.source"),
    Field("rng_device/rate", _Rate(), lambda it: (it.rng_bytes, it.rng_period) if it.rng_source else None),
    Field("rng_device/rate/bytes", NUMBER, to="rng.bytes"),
    Field("rng_device/rate/period", NUMBER, to="rng.period"),
    Field("start_paused", BOOLEAN, lambda it: it.start_paused, "machine.start_paused"),
)
# What is different for almost every machine that has it, or no affair of its user.
OWN: Final = (
    Field(
        *("custom_properties", _Properties()),
        *(lambda it: it.custom_properties or None, "machine.custom_properties"),
    ),
    Field(
        "placement_policy/affinity",
        _AFFINITY,
        lambda it: MigrationMode(it.migration),
        "machine.migration",
        guarded=True,
    ),
    Field(
        *("placement_policy/hosts", References("hosts", "host")),
        *(lambda it: it.host_ids or None, "reference.hosts"),
        guarded=True,
    ),
)
