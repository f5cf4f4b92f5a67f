"""What a client sent, read by a table and sorted by where it goes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from vms.api.document import Node, Tree
from vms.api.faults import Fault, invalid
from vms.domain.changes import Changes
from vms.domain.console import Console
from vms.domain.parts import Rng, SerialNumber, SerialPolicy

from . import kept
from .console import Wish
from .fields import ABSENT, Field

Parts = dict[str, Any]


def _serial_number(now: SerialNumber, parts: Parts) -> SerialNumber:
    policy = parts.get("policy", now.policy)
    return SerialNumber(policy=policy, value=parts.get("value", now.value if policy == SerialPolicy.CUSTOM else ""))


# Values of a machine that are told in parts, of which a client may name any: what becomes of the value.
COMPOSED: Final[dict[str, Callable[[Any, Parts], Any]]] = {
    "cpu": lambda now, parts: replace(now, **parts),
    "boot": lambda now, parts: replace(now, **parts),
    "boot_order": lambda now, parts: replace(now, **parts),
    "serial_number": _serial_number,
    "rng": lambda now, parts: replace(now or Rng(), **parts),
}
# Told is what follows from another field where nothing else is stored: a client that repeats it wants no change.
_FOLLOWING: Final = {"maximum_memory": "maximum", "guaranteed_memory": "guaranteed"}


@dataclass(slots=True)
class Draft:
    """What a client sent, sorted by where it goes."""

    values: dict[str, dict[str, Any]] = field(default_factory=dict)

    def take(self, group: str, name: str, default: Any = None) -> Any:
        """A value, which is then no part of the changes."""
        return self.values.get(group, {}).pop(name, default)

    def changes(self, row: Any = None, shown: Console | None = None, version: int | None = None) -> Changes:
        """The rest as changes; of an edit `row` is the row, and `shown` the console that the client was last told."""
        machine = dict(self.values.get("machine", {}))
        for name in _FOLLOWING.keys() & machine.keys():
            machine[name] = _following(name, machine[name], machine.get("memory"))
        for name, compose in COMPOSED.items():
            if parts := self.values.get(name):
                machine[name] = _composed(name, compose, parts)
        wish = Wish(**self.values["console"], shown=shown) if self.values.get("console") else None
        attributes = dict(self.values.get("attribute", {}))
        if said := self.values.get("kept"):
            attributes["kept"] = kept.together(row.kept if row else {}, said)
        return Changes(attributes=attributes, machine=machine, console=wish, version=version)


def read(fields: tuple[Field, ...], tree: Tree, *, filtered: bool = False) -> Draft:
    """What a client's document asks for; elements that no table knows are skipped, as oVirt does, and so are those
    that are not told to this client."""
    draft = Draft()
    for each in fields:
        if not each.to or (each.guarded and filtered):
            continue
        node = at(tree, each.path)
        if node is ABSENT:
            continue
        value = each.type.read(node, each.path.replace("/", "."))
        if value is not ABSENT:
            group, name = each.to.split(".")
            draft.values.setdefault(group, {})[name] = value
    return draft


def refuse(paths: tuple[str, ...], tree: Tree) -> None:
    """Refuse a document that asks for what nobody does here: leaving it out would make another machine than asked.

    A list with an address is only a link that the client has read.
    """
    for path in paths:
        node: Any = tree
        for step in path.split("/"):
            node = node.get(step) if isinstance(node, Mapping) and "href" not in node else None
        if node and str(node).lower() not in {"false", "0"}:
            raise Fault(400, "Operation Failed", f"[{path.replace('/', '.')}: this is not offered here yet.]")


def at(tree: Node, path: str) -> Node:
    """What is at a path, or ABSENT."""
    for step in path.split("/"):
        if tree == "":
            return ABSENT  # an empty element, which XML cannot tell from an empty text
        if not isinstance(tree, Mapping):
            raise invalid(path.replace("/", "."), "…", f"an element with {step} in it")
        if step not in tree:
            return ABSENT
        tree = tree[step]
    return tree


def _composed(name: str, compose: Callable[[Any, Parts], Any], parts: Parts) -> Callable[[Any], Any]:
    return lambda spec: compose(getattr(spec, name), parts)


def _following(name: str, value: int, memory: int | None) -> Callable[[Any], int | None]:
    """A size that follows the memory as long as a client only repeats it, or has left it behind in what it had read."""

    def new(spec: Any) -> int | None:
        now = memory or spec.memory
        fits = value >= now if name == "maximum_memory" else value <= now
        if getattr(spec, _FOLLOWING[name]) != value or (fits and now != spec.memory):
            return value
        stored: int | None = getattr(spec, name)
        return stored if fits else None

    return new
