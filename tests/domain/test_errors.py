"""A refusal is a code that somebody has named, with what to say it with."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import vms
from vms.domain.errors import KINDS, Kind, Refusal

TREES = {source: ast.parse(source.read_text()) for source in sorted(Path(vms.__path__[0]).rglob("*.py"))}


@pytest.mark.parametrize("code", ["", "NO_SUCH_CODE", "GRAPHICS_CONSOLE_NOT_FOUND ", "graphics_console_not_found"])
def test_a_code_that_nobody_named_is_a_mistake_of_the_program(code: str) -> None:
    with pytest.raises(KeyError):
        Refusal(code)


def test_a_refusal_is_of_the_kind_of_its_code() -> None:
    assert {code: Refusal(code).kind for code in KINDS} == KINDS


def test_a_refusal_carries_the_field_and_what_to_say() -> None:
    refusal = Refusal("ILLEGAL_VALUE", "memory", value=3, allowed="64 … 128")
    assert (refusal.code, refusal.field, refusal.params) == (
        "ILLEGAL_VALUE",
        "memory",
        {"value": 3, "allowed": "64 … 128"},
    )


def test_a_refusal_may_be_about_no_field() -> None:
    refusal = Refusal("HOST_NOT_RESPONDING")
    assert (refusal.field, refusal.params) == (None, {})


@pytest.mark.parametrize(
    ("refusal", "text"),
    [
        (Refusal("ILLEGAL_VALUE", "memory", value="hostile"), "ILLEGAL_VALUE (memory)"),
        (Refusal("HOST_NOT_RESPONDING", host="hostile"), "HOST_NOT_RESPONDING"),
    ],
)
def test_the_text_of_a_refusal_for_logs_holds_nothing_that_a_client_sent(refusal: Refusal, text: str) -> None:
    assert str(refusal) == text


def test_two_refusals_with_the_same_code_are_two_events() -> None:
    one, other = Refusal("ILLEGAL_VALUE", "memory", value=[]), Refusal("ILLEGAL_VALUE", "memory", value=[])
    assert len({one, other}) == 2


def test_the_kinds_are_those_that_doors_have_a_status_for() -> None:
    assert [kind.value for kind in Kind] == ["invalid", "forbidden", "missing", "conflict", "unavailable"]


def test_a_code_is_words_in_capitals() -> None:
    assert [code for code in KINDS if not re.fullmatch(r"[A-Z]+(_[A-Z]+)*", code)] == []


# Codes whose kind oVirt's own REST shows (engine-behaviour 5, ErrorMessageHelper.java).
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ACTION_TYPE_FAILED_ILLEGAL_VM_DISPLAY_TYPE_IS_NOT_SUPPORTED_BY_OS", "invalid"),
        ("ACTION_TYPE_FAILED_ILLEGAL_VM_DISPLAY_TYPE_IS_NOT_SUPPORTED_BY_FIRMWARE", "invalid"),
        ("ACTION_TYPE_FAILED_ILLEGAL_NUM_OF_MONITORS", "invalid"),
        ("ACTION_TYPE_FAILED_ONLY_ONE_DEVICE_WITH_THIS_GRAPHICS_ALLOWED", "invalid"),
        ("ACTION_TYPE_FAILED_GRAPHIC_TYPE_MUST_BE_SPECIFIED", "invalid"),
        ("VALIDATION_VM_INVALID_KEYBOARD_LAYOUT", "invalid"),
        ("ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL", "conflict"),
        ("ACTION_TYPE_FAILED_OBJECT_LOCKED", "conflict"),
        ("ACTION_TYPE_FAILED_VM_NOT_FOUND", "missing"),
        ("USER_NOT_AUTHORIZED_TO_PERFORM_ACTION", "forbidden"),
    ],
)
def test_ovirts_clients_get_the_kind_of_no_that_they_know(code: str, kind: str) -> None:
    assert KINDS[code] == kind


# -- every code that the source names is known


def _refused(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).split(".")[-1] == "Refusal":
            yield node.args[0]


def _pattern(code: ast.expr) -> str | None:
    """The codes that an expression may become, as a regular expression; None where only running it tells."""
    match code:
        case ast.Constant(value=str(text)):
            return re.escape(text)
        case ast.JoinedStr(values=parts):
            return "".join(_pattern(part) or ".+" for part in parts)
    return None


def test_every_code_that_a_source_refuses_with_is_named() -> None:
    patterns = [(source, _pattern(code)) for source, tree in TREES.items() for code in _refused(tree)]
    unknown = [
        (source, text) for source, text in patterns if text and not any(re.fullmatch(text, code) for code in KINDS)
    ]
    assert patterns
    assert unknown == []


def test_every_constant_that_looks_like_an_engine_message_is_named() -> None:
    written = {
        node.value
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    messages = {text for text in written if re.fullmatch(r"(ACTION_TYPE_FAILED|VALIDATION)_[A-Z_]*[A-Z]", text)}
    assert messages
    assert messages <= set(KINDS)
