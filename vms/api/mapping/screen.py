"""The console of a machine: `display`, serial console, USB and sound.

A machine without a console has no `display` element at all; that is how oVirt's clients know it is headless.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from vms.api.document import Node
from vms.api.faults import invalid
from vms.domain.console import Console, DisconnectAction, Protocol, Recording, SingleSignOn

from .console import first
from .fields import BOOLEAN, NUMBER, TEXT, Field, Schema, Telling, Type, Words, list_of, listed, object_of
from .types import CONSOLES, PROTOCOL, VIDEO


@dataclass(frozen=True, slots=True)
class Screen:
    """The console that people see of a machine, and where its first protocol listens."""

    console: Console
    endpoint: dict[str, Any]


def screen(row: Any) -> Screen:
    """What the columns of a row show."""
    console: Console = row.console
    return Screen(console, _endpoint_of(row, first(console.graphics)))


def listening(row: Any) -> tuple[Any, ...]:
    """Where the first protocol of a row listens, without a look at the rest of its console."""
    if not getattr(row, "endpoints", ()):
        return _NOWHERE
    found = _endpoint_of(row, Protocol.SPICE if row.spice else Protocol.VNC if row.vnc else None)
    return tuple([_there(found.get(name)) for name in ENDPOINT.values()])


def _endpoint_of(row: Any, protocol: Protocol | None) -> dict[str, Any]:
    return next((each for each in getattr(row, "endpoints", ()) if each["protocol"] == protocol), {})


def _there(value: Any) -> Any:
    """An address, or a port that listens; -1 stands for none."""
    return None if value == -1 else value


# Told inside `display`, by the name that it has in a run.
ENDPOINT: Final = {"display/address": "address", "display/port": "port", "display/secure_port": "tls_port"}
_NOWHERE: Final = (None,) * len(ENDPOINT)


def _display(ask: Callable[[Console], Any]) -> Callable[[Screen], Any]:
    return lambda it: ask(it.console) if not it.console.headless else None


class _Action(Type):
    """A disconnect action; a text in capitals for oVirt, read in any case."""

    _words: Final = {action.value: action for action in DisconnectAction}

    def schema(self) -> Schema:
        return {"type": "string", "enum": sorted(word.upper() for word in self._words)}

    def tell(self, value: DisconnectAction, telling: Telling) -> Node:
        return value.upper()

    def read(self, node: Node, path: str) -> Any:
        if not isinstance(node, str) or node.lower() not in self._words:
            raise invalid(path, node if isinstance(node, str) else "…", sorted(self._words))
        return self._words[node.lower()]


class _Methods(Type):
    """The ways to log a console's user in inside the guest: the guest agent, or none."""

    def schema(self) -> Schema:
        return list_of("method", object_of(id={"type": "string", "enum": [SingleSignOn.GUEST_AGENT.value]}))

    def tell(self, value: SingleSignOn, telling: Telling) -> Node:
        return {"method": [{"id": value.value}]} if value == SingleSignOn.GUEST_AGENT else {}

    def read(self, node: Node, path: str) -> Any:
        found = SingleSignOn.NONE
        for each in listed(node, "method", path):
            named = each.get("id") if isinstance(each, Mapping) else None
            if named != SingleSignOn.GUEST_AGENT:
                raise invalid(path, str(named or "…"), [SingleSignOn.GUEST_AGENT.value])
            found = SingleSignOn.GUEST_AGENT
        return found


DISPLAY: Final = (
    Field("display/type", PROTOCOL, _display(lambda console: first(console.graphics)), "console.type"),
    Field("display/video_type", VIDEO, _display(lambda console: console.video), "console.video"),
    *(
        Field(path, TEXT if name == "address" else NUMBER, lambda it, name=name: _there(it.endpoint.get(name)))  # type: ignore[misc]
        for path, name in ENDPOINT.items()
    ),
    Field("display/monitors", NUMBER, _display(lambda console: console.monitors), "console.monitors"),
    Field("display/keyboard_layout", TEXT, _display(lambda console: console.keyboard or None), "console.keyboard"),
    Field(
        *("display/disconnect_action", _Action()),
        *(_display(lambda console: console.disconnect_action), "console.disconnect_action"),
    ),
    Field(
        *("display/disconnect_action_delay", NUMBER),
        *(_display(lambda console: console.disconnect_delay), "console.disconnect_delay"),
    ),
    Field("display/allow_override", BOOLEAN, _display(lambda console: console.allow_reconnect), "console.reconnect"),
    Field("display/proxy", TEXT, _display(lambda console: console.spice_proxy or None), "console.proxy"),
    Field("display/smartcard_enabled", BOOLEAN, _display(lambda console: console.wants_smartcard), "console.smartcard"),
    Field(
        *("display/file_transfer_enabled", BOOLEAN),
        *(_display(lambda console: console.wants_file_transfer), "console.file_transfer"),
    ),
    Field(
        "display/copy_paste_enabled", BOOLEAN, _display(lambda console: console.wants_copy_paste), "console.copy_paste"
    ),
)
SOUND: Final = Field("soundcard_enabled", BOOLEAN, lambda it: it.console.sound, "console.sound")
# Told of a `Screen`.
CONSOLE: Final = (
    Field("console/enabled", BOOLEAN, lambda it: it.console.serial, "console.serial"),
    # Ours, and told only where it is not what everybody begins with: oVirt's clients know no such thing.
    Field(
        *("console/recording", Words({word.value: word for word in Recording})),
        *(lambda it: None if it.console.recording == Recording.HEADLESS else it.console.recording, "console.recording"),
    ),
    Field("usb/enabled", BOOLEAN, lambda it: it.console.usb, "console.usb"),
    SOUND,
    Field("sso/methods", _Methods(), lambda it: it.console.sso, "console.sso"),
    *DISPLAY,
    Field("graphics_consoles", CONSOLES, to="console.graphics"),
)
