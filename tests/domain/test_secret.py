"""A secret never shows itself, whatever is done with it short of asking for it."""

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass

import msgspec
import pytest

from vms.domain.secret import Secret

TEXT = "correct-horse-battery"


@dataclass(frozen=True)
class Ticket:
    machine: str
    password: Secret


SECRET = Secret(TEXT)
TICKET = Ticket("web-1", SECRET)

PRINTED: dict[str, Callable[[], str]] = {
    "repr": lambda: repr(SECRET),
    "str": lambda: str(SECRET),
    "ascii": lambda: ascii(SECRET),
    "f-string": lambda: f"{SECRET}",
    "f-string with a width": lambda: f"{SECRET:>60}",
    "f-string with conversion": lambda: f"{SECRET!r}{SECRET!s}{SECRET!a}",
    "f-string with a name": lambda: f"{SECRET=}",
    "format": lambda: format(SECRET),
    "str.format": lambda: "{} {:s} {!r:>40}".format(SECRET, SECRET, SECRET),  # noqa: UP032
    "percent": lambda: "%s %r %a %20s" % (SECRET, SECRET, SECRET, SECRET),  # noqa: UP031
    "in a list": lambda: str([SECRET]),
    "in a dictionary": lambda: str({"password": SECRET}),
    "as a key": lambda: str({SECRET: 1}),
    "in a dataclass": lambda: repr(TICKET),
    "in an exception": lambda: "".join(traceback.format_exception(KeyError(SECRET))),
    "in JSON by default=str": lambda: json.dumps({"password": SECRET}, default=str),
    "in JSON by default=repr": lambda: json.dumps({"password": SECRET}, default=repr),
    "in msgspec by a hook": lambda: msgspec.json.encode(TICKET, enc_hook=str).decode(),
}


@pytest.mark.parametrize("way", PRINTED)
def test_printing_a_secret_does_not_give_it_away(way: str) -> None:
    printed = PRINTED[way]()
    assert "Secret(" in printed
    assert TEXT not in printed


SERIALISED: dict[str, Callable[[], object]] = {
    "json": lambda: json.dumps({"password": SECRET}),
    "json of the dataclass": lambda: json.dumps(TICKET.__dict__),
    "msgspec": lambda: msgspec.json.encode(TICKET),
    "msgspec builtins": lambda: msgspec.to_builtins(TICKET),
    "asdict": lambda: asdict(TICKET),
    "copy": lambda: copy.copy(SECRET),
    "deepcopy": lambda: copy.deepcopy([SECRET]),
    "vars": lambda: vars(SECRET),
    "bytes": lambda: bytes(SECRET),  # type: ignore[call-overload]
    "list": lambda: list(SECRET),  # type: ignore[call-overload]
    "join": lambda: "".join([SECRET]),  # type: ignore[list-item]  # noqa: FLY002
    "concatenation": lambda: "password " + SECRET,  # type: ignore[operator]
    **{
        f"pickle {protocol}": lambda protocol=protocol: pickle.dumps(TICKET, protocol)  # type: ignore[misc]
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}


@pytest.mark.parametrize("way", SERIALISED)
def test_serialising_a_secret_is_refused_without_saying_it(way: str) -> None:
    with pytest.raises(TypeError) as refusal:
        SERIALISED[way]()
    assert TEXT not in "".join(traceback.format_exception(refusal.value))


def test_logging_a_secret_does_not_give_it_away(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").info("opened with %s, %r and %s", SECRET, SECRET, TICKET)
        logging.getLogger("test").info("opened with %(password)s", {"password": SECRET})
    assert caplog.text.count("Secret(") == 4
    assert TEXT not in caplog.text


def test_a_secret_is_revealed_to_who_asks() -> None:
    assert SECRET.reveal() == TEXT


@pytest.mark.parametrize("text", ["", "a", "ä€😀", "\x00"])
def test_equal_texts_are_equal_secrets(text: str) -> None:
    assert {Secret(text)} == {Secret(text)}


@pytest.mark.parametrize("other", [Secret("other"), Secret(""), TEXT, TEXT.encode(), None])
def test_a_secret_equals_no_other_text_and_no_plain_one(other: object) -> None:
    assert other != SECRET


@pytest.mark.parametrize(("text", "filled"), [("", False), ("x", True)])
def test_an_empty_secret_is_false(text: str, filled: bool) -> None:
    assert bool(Secret(text)) == filled


def test_a_secret_carries_nothing_else() -> None:
    with pytest.raises(AttributeError):
        SECRET.note = "written by hand"  # type: ignore[attr-defined]
