"""What a guest is told at its first boot, as cloud-init's NoCloud takes it: who may log in, what it is called, its
networks, and what somebody wants besides."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from ipaddress import ip_address, ip_interface
from typing import Any, Final, Self
from uuid import UUID

from .errors import Refusal
from .headless_guest import Task, script
from .machine import time_zones
from .networks import Nic
from .secret import Secret

PREFIX: Final = "initialization/"  # of the words that clients and dialogs say it by (oVirt: Initialization)
SCRIPT_LENGTH: Final = 16 * 1024
_USER: Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62}))*")
_KEY: Final = re.compile(r"(ssh-|ecdsa-|sk-)[a-z0-9@.-]+ [A-Za-z0-9+/=]{16,}( [^\x00-\x1f]*)?")
_STATIC: Final = "static"
NO_ADDRESS: Final = "none"  # what clients say of a card that is given no address
_MERGED: Final = "dict(recurse_array)+list(append)"  # what a script says is put to what the fields say


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A static address with its prefix, and perhaps a gateway."""

    interface: str
    gateway: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NicSetup:
    """How the guest sets up one card, by the name of the machine's card or of the guest's interface; None is DHCP."""

    name: str
    v4: Address | None = None
    v6: Address | None = None
    off: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialization:
    """One machine's first boot; `password` goes to the user, `keys` into its authorized_keys; a script that begins with
    `#!` is run, any other is cloud-config. With `headless` the guest is prepared for a life without a screen, too.
    """

    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    keys: tuple[str, ...] = ()
    host_name: str = ""
    time_zone: str = ""
    dns: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    nics: tuple[NicSetup, ...] = ()
    script: str = ""
    headless: bool = False

    def __post_init__(self) -> None:
        _require(not self.user or _USER.fullmatch(self.user), "user_name", self.user, "a name like debian")
        for key in self.keys:
            _require(_KEY.fullmatch(key), "authorized_ssh_keys", key[:40], "lines of OpenSSH .pub files")
        _require(not self.host_name or _HOST.fullmatch(self.host_name), "host_name", self.host_name, "a host's name")
        zone = not self.time_zone or self.time_zone in time_zones()
        _require(zone, "timezone", self.time_zone, "a name like Europe/Berlin")
        for server in self.dns:
            _require(_is_address(server), "dns_servers", server, "IP addresses")
        for domain in self.search:
            _require(_HOST.fullmatch(domain), "dns_search", domain, "domains")
        _require(len(self.script) <= SCRIPT_LENGTH, "custom_script", "…", f"{SCRIPT_LENGTH} characters at most")

    @classmethod
    def of(cls, said: Mapping[str, Any], password: Secret | None = None) -> Self:
        """What words say, by oVirt's paths; refused with the word that makes no sense."""
        word = {path.removeprefix(PREFIX): value for path, value in said.items() if path.startswith(PREFIX)}
        return cls(
            user=_text(word, "user_name"),
            password=password or Secret(""),
            keys=tuple(filter(None, map(str.strip, _text(word, "authorized_ssh_keys").splitlines()))),
            host_name=_text(word, "host_name"),
            time_zone=_text(word, "timezone"),
            dns=tuple(re.split(r"[\s,]+", _text(word, "dns_servers"))) if _text(word, "dns_servers") else (),
            search=tuple(re.split(r"[\s,]+", _text(word, "dns_search"))) if _text(word, "dns_search") else (),
            nics=tuple(_setup(each) for each in word.get("nic_configurations") or ()),
            script=str(word.get("custom_script") or ""),
            headless=word.get("prepare_headless") is True,
        )

    @property
    def empty(self) -> bool:
        """Whether it says nothing."""
        return self == Initialization()

    def files(self, machine: UUID, name: str, cards: tuple[Nic, ...]) -> dict[str, bytes]:
        """The files of the seed, by name. What is said anew is another instance, which cloud-init sets up again."""
        told = {"user-data": self._user_data(name)}
        if networks := self._networks(cards):
            told["network-config"] = _document({"version": 2, "ethernets": networks})
        mark = hashlib.sha256(b"".join(told[key] for key in sorted(told))).hexdigest()[:12]
        host = self.host_name or name
        told["meta-data"] = _document({"instance-id": f"{machine}-{mark}", "local-hostname": host})
        return told

    def _user_data(self, name: str) -> bytes:
        config = b"#cloud-config\n" + _document(self._config(name))
        parts = MIMEMultipart(boundary="=======first-boot=======")
        said = [(config.decode(), "cloud-config", "fields.cfg")]
        if self.script.strip():
            said.append((self.script, "x-shellscript" if self.script.startswith("#!") else "cloud-config", "script"))
        if self.headless:
            said.append((f"#!/bin/sh\n{script(Task.CHANGE)}", "x-shellscript", "prepare-headless"))
        if len(said) == 1:
            return config
        for text, kind, file in said:
            part = MIMEText(text, kind, "utf-8")
            part.add_header("Content-Disposition", "attachment", filename=file)
            if kind == "cloud-config":
                part.add_header("X-Merge-Type", _MERGED)
            parts.attach(part)
        return parts.as_bytes()

    def _config(self, name: str) -> dict[str, Any]:
        config: dict[str, Any] = {"hostname": (self.host_name or name).partition(".")[0]}
        if "." in self.host_name:
            config["fqdn"] = self.host_name
        if self.user == "root":
            config |= {"disable_root": False, "ssh_authorized_keys": list(self.keys)}
        elif self.user:
            config["user"] = self.user  # the name of the default user, to whom the password and the keys go
        if self.keys:
            config["ssh_authorized_keys"] = list(self.keys)
        if self.password:
            config |= {"ssh_pwauth": True, "chpasswd": {"expire": False}, "password": self.password.reveal()}
            if self.user == "root":
                del config["password"]
                config["chpasswd"]["list"] = f"root:{self.password.reveal()}"  # older ones know no other way
        if self.time_zone:
            config["timezone"] = self.time_zone
        return config

    def _networks(self, cards: tuple[Nic, ...]) -> dict[str, Any]:
        by_name = {card.name: card.mac for card in cards if card.plugged}
        setups = self.nics or (tuple(NicSetup(name=name) for name in by_name) if self.dns or self.search else ())
        return {setup.name: self._ethernet(setup, by_name.get(setup.name)) for setup in setups if not setup.off}

    def _ethernet(self, setup: NicSetup, mac: str | None) -> dict[str, Any]:
        told: dict[str, Any] = {"match": {"macaddress": mac}} if mac else {}
        static = [each for each in (setup.v4, setup.v6) if each is not None]
        told["dhcp4"] = setup.v4 is None
        if static:
            told["addresses"] = [each.interface for each in static]
        for each, word in ((setup.v4, "gateway4"), (setup.v6, "gateway6")):
            if each is not None and each.gateway:
                told[word] = each.gateway
        servers = {"addresses": list(self.dns), "search": list(self.search)}
        if named := {key: value for key, value in servers.items() if value}:
            told["nameservers"] = named
        return told


def _setup(said: Mapping[str, Any]) -> NicSetup:
    """A card's setup as clients say it: `static` with an address, all else is DHCP."""
    name = str(said.get("name") or "")
    _require(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}", name), "nic_configurations", name, "the name of a card")
    off = (said.get("boot_protocol"), said.get("ipv6_boot_protocol", NO_ADDRESS)) == (NO_ADDRESS, NO_ADDRESS)
    v4 = _address(said.get("ip") or {}) if said.get("boot_protocol") == _STATIC else None
    v6 = _address(said.get("ipv6") or {}) if said.get("ipv6_boot_protocol") == _STATIC else None
    return NicSetup(name=name, v4=v4, v6=v6, off=off)


def _address(said: Mapping[str, Any]) -> Address:
    address, mask, gateway = (str(said.get(word) or "") for word in ("address", "netmask", "gateway"))
    try:
        interface = ip_interface(f"{address}/{mask}" if mask else address)
        gateway = str(ip_address(gateway)) if gateway else ""
    except ValueError as error:
        told = " ".join(filter(None, (address, mask, gateway)))
        raise _no("nic_configurations", told, "an address with netmask and gateway") from error
    return Address(interface=interface.with_prefixlen, gateway=gateway)


def _text(word: Mapping[str, Any], name: str) -> str:
    text = str(word.get(name) or "").strip()
    _require(text.isprintable() or name == "authorized_ssh_keys", name, ascii(text[:40]), "one line of printable text")
    return text


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _document(value: Mapping[str, Any]) -> bytes:
    """JSON, which is YAML."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def _require(fine: object, name: str, value: str, allowed: str) -> None:
    if not fine:
        raise _no(name, value, allowed)


def _no(name: str, value: str, allowed: str) -> Refusal:
    return Refusal("ILLEGAL_VALUE", f"initialization_{name}", value=value[:60], allowed=allowed)
