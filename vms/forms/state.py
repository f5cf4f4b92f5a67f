"""What an open dialog remembers between two requests: signed, since it decides what counts as changed."""

from dataclasses import asdict, dataclass, field
from typing import Any, Self

from django.core import signing

from .parts import Values


@dataclass(frozen=True, kw_only=True)
class State:
    """How the dialog was last drawn: what was inherited (`drawn`), what it showed, and what of that was greyed out and
    so is not posted (`kept`).

    `linked` is the instance type that it showed, `left` the one that another size has made Custom, to which it goes
    back with the size; `undo` holds what a preset has replaced.
    """

    drawn: Values = field(default_factory=dict)
    shown: Values = field(default_factory=dict)
    kept: Values = field(default_factory=dict)
    undo: Values = field(default_factory=dict)
    linked: str = ""
    left: str = ""

    @classmethod
    def loads(cls, token: str | None, *, salt: str) -> Self:
        """The state that was signed; an empty one for none, for nonsense and for another dialog's."""
        try:
            told: dict[str, Any] = signing.loads(token or "", salt=salt)
        except signing.BadSignature:
            return cls()
        return cls(**told) if told.keys() == cls().__dict__.keys() else cls()

    def dumps(self, *, salt: str) -> str:
        return signing.dumps(asdict(self), salt=salt, compress=True)
