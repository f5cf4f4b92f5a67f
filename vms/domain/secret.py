"""A text that never shows itself."""

import hmac
from typing import Any


class Secret:
    """A confidential text: printing, formatting, pickling or serialising it never gives it away; `reveal()` does."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(•••)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce_ex__(self, protocol: Any) -> Any:
        if not self._text:  # there is nothing to give away
            return Secret, ("",)
        raise TypeError("a Secret is not serialised; store it in an EncryptedField")
