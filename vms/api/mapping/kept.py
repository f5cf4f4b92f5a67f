"""What clients say of a machine and nothing here uses yet: typed, listed, kept and told as it came.

A playbook that says it finds it again, and changes nothing when it runs a second time.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from vms.api.document import Node
from vms.api.faults import invalid

from .fields import BOOLEAN, NUMBER, TEXT, Field, Schema, Telling, Type, Words, list_of, listed, object_of

BYTES: Final = 16 * 1024  # of all that is kept of one machine
LENGTH: Final = 4000  # characters of one text


class _Text(Type):
    def read(self, node: Node, path: str) -> Any:
        text = TEXT.read(node, path)
        if len(text) > LENGTH:
            raise invalid(path, f"{text[:40]}…", f"{LENGTH} characters at most")
        return text


class Word(Words):
    """One of a few words, kept as the word."""

    def __init__(self, *words: str) -> None:
        super().__init__({word: word for word in words})


class _List(Type):
    """Elements with a few typed members each."""

    endless = True

    def schema(self) -> Schema:
        return list_of(self._name, object_of(**{name: kind.schema() for name, kind in self._members.items()}))

    def __init__(self, name: str, members: Mapping[str, Type]) -> None:
        self._name, self._members = name, members

    def tell(self, value: list[Any], telling: Telling) -> Node:
        return {self._name: value} if value else None

    def read(self, node: Node, path: str) -> Any:
        return [self._one(each, f"{path}.{self._name}") for each in listed(node, self._name, path)]

    def _one(self, node: Node, path: str) -> dict[str, Any]:
        if not isinstance(node, Mapping):
            raise invalid(path, "…", ", ".join(self._members))
        return {name: kind.read(node[name], f"{path}.{name}") for name, kind in self._members.items() if name in node}


def listed_words(name: str, *words: str) -> Type:
    """A list of such words."""
    return _ListOf(name, Word(*words))


class _ListOf(Type):
    endless = True

    def schema(self) -> Schema:
        return list_of(self._name, self._kind.schema())

    def __init__(self, name: str, kind: Type) -> None:
        self._name, self._kind = name, kind

    def tell(self, value: list[Any], telling: Telling) -> Node:
        return {self._name: value} if value else {}

    def read(self, node: Node, path: str) -> Any:
        return [self._kind.read(each, f"{path}.{self._name}") for each in listed(node, self._name, path)]


class Identified(Type):
    """Something that is named by its id alone."""

    def schema(self) -> Schema:
        return object_of(id=_TEXT.schema())

    def tell(self, value: str, telling: Telling) -> Node:
        return {"id": value}

    def read(self, node: Node, path: str) -> Any:
        if not isinstance(node, Mapping) or "id" not in node:
            raise invalid(path, "…", "an element with id")
        return _TEXT.read(node["id"], f"{path}.id")


class _Ip(Type):
    def schema(self) -> Schema:
        return object_of(**{name: _TEXT.schema() for name in ("address", "netmask", "gateway", "version")})

    def read(self, node: Node, path: str) -> Any:
        if not isinstance(node, Mapping):
            raise invalid(path, "…", "address, netmask, gateway, version")
        names = ("address", "netmask", "gateway", "version")
        return {name: _TEXT.read(node[name], f"{path}.{name}") for name in names if name in node}


_TEXT: Final = _Text()
_PROTOCOL: Final = Word("autoconf", "dhcp", "none", "static", "poly_dhcp_autoconf")
INHERITED: Final = Word("inherit", "true", "false")
_KINDS: Final[dict[str, Type]] = {
    "auto_pinning_policy": Word("disabled", "existing", "adjust"),
    "cpu/cpu_tune/vcpu_pins": _List("vcpu_pin", {"cpu_set": _TEXT, "vcpu": NUMBER}),
    "cpu_pinning_policy": Word("none", "manual", "resize_and_pin_numa", "dedicated", "isolate_threads"),
    "custom_compatibility_version/major": NUMBER,
    "custom_compatibility_version/minor": NUMBER,
    "migration/auto_converge": INHERITED,
    "migration/compressed": INHERITED,
    "migration/encrypted": INHERITED,
    "migration_downtime": NUMBER,
    "multi_queues_enabled": BOOLEAN,
    "numa_tune_mode": Word("interleave", "preferred", "strict"),
    "quota": Identified(),
    "storage_error_resume_behaviour": Word("auto_resume", "kill", "leave_paused"),
    "tunnel_migration": BOOLEAN,
    "virtio_scsi/enabled": BOOLEAN,
    "virtio_scsi_multi_queues": NUMBER,
    "virtio_scsi_multi_queues_enabled": BOOLEAN,
    "initialization/cloud_init_network_protocol": Word("eni", "openstack_metadata"),
    "initialization/regenerate_ssh_keys": BOOLEAN,
    "initialization/prepare_headless": BOOLEAN,  # ours
    "initialization/nic_configurations": _List(
        "nic_configuration",
        {
            "name": _TEXT,
            "boot_protocol": _PROTOCOL,
            "ipv6_boot_protocol": _PROTOCOL,
            "on_boot": BOOLEAN,
            "ip": _Ip(),
            "ipv6": _Ip(),
        },
    ),
    **{
        f"initialization/{name}": _TEXT
        for name in (
            *("active_directory_ou", "authorized_ssh_keys", "custom_script", "dns_search", "dns_servers", "domain"),
            *("host_name", "input_locale", "org_name", "system_locale", "timezone", "ui_language", "user_locale"),
            *("user_name", "windows_license_key"),
        )
    },
}


def kept_fields(kinds: Mapping[str, tuple[Type, Any]]) -> Iterator[Field]:
    """What clients say of other types, told with oVirt's default until somebody says otherwise."""
    for path, (kind, default) in kinds.items():
        yield Field(path, kind, lambda it, path=path, default=default: it.kept.get(path, default), f"kept.{path}")  # type: ignore[misc]


def _fields() -> Iterator[Field]:
    for path, kind in _KINDS.items():
        yield Field(path, kind, lambda it, path=path: it.kept.get(path), f"kept.{path}")  # type: ignore[misc]


FIELDS: Final = tuple(_fields())


def together(before: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept after a client has said more; refused where that is too much."""
    kept = {**before, **said}
    size = len(json.dumps(kept))
    if size > BYTES:
        raise invalid("vm", f"{size} bytes", f"{BYTES} bytes at most of what is only kept")
    return kept
