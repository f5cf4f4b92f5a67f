"""Every code that can reach a person has a sentence, and every sentence gets what it speaks of."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import vms
from vms import messages
from vms.actions import many
from vms.domain.console import Frozen
from vms.domain.devices import DeviceKind
from vms.domain.errors import KINDS, Refusal
from vms.domain.graphicalaccess import NoConsole
from vms.domain.hosts import Ended
from vms.domain.lifecycle import Status, Verb
from vms.domain.machine import MachineSpec
from vms.engine.worker import CALLS, OFFLINE_STEPS
from vms.models import ActionGroup
from vms.models.machines import BLANK

STEPS = {name for _percent, name in OFFLINE_STEPS}
SOURCES = sorted(Path(vms.__path__[0]).rglob("*.py"))


def calls(name: str) -> Iterator[ast.Call]:
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            called = getattr(node, "func", None)
            if getattr(called, "id", getattr(called, "attr", "")) == name:
                assert isinstance(node, ast.Call)
                yield node


def codes(argument: ast.expr, known: set[str]) -> list[str]:
    """The codes that an argument can stand for; none where only running it tells."""
    if isinstance(argument, ast.Constant):
        return [str(argument.value)]
    if isinstance(argument, ast.JoinedStr):
        parts = [re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in argument.values]
        return [code for code in known if re.fullmatch("".join(parts), code)]
    if isinstance(argument, ast.IfExp):
        return codes(argument.body, known) + codes(argument.orelse, known)
    return []


def spoken_of(sentence: object) -> set[str]:
    return set(re.findall(r"%\((\w+)\)s", str(sentence)))


def raised() -> list[tuple[str, tuple[str, ...]]]:
    """Each code with the parameters that one place gives it; places that pass a whole mapping are left out."""
    found = []
    for call in calls("Refusal"):
        given = {keyword.arg for keyword in call.keywords}
        if None not in given and call.args:
            found += [(code, tuple(sorted(map(str, given)))) for code in codes(call.args[0], set(KINDS))]
    return sorted(found)


def test_every_refusal_has_a_sentence() -> None:
    assert set(messages.REFUSALS) == set(KINDS)


def test_the_search_finds_the_places_that_refuse() -> None:
    assert len({code for code, _given in raised()}) > 20


@pytest.mark.parametrize(("code", "given"), raised())
def test_every_sentence_gets_what_it_speaks_of(code: str, given: tuple[str, ...]) -> None:
    assert spoken_of(messages.REFUSALS[code]) <= set(given)


def recorded() -> set[str]:
    """What looks like an audit code in the actions, whichever table it stands in."""
    written = {
        node.value
        for source in SOURCES
        if source.parent.name == "actions"
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {text for text in written if re.fullmatch(r"(USER|VM|VDS)_[A-Z_]*[A-Z]", text)} - set(KINDS)


def test_every_audit_code_has_a_sentence() -> None:
    told = {code for code in recorded() if not code.startswith("USER_FAILED_")}
    assert len(told) > 20
    assert told <= set(messages.EVENTS)


@pytest.mark.parametrize("code", [code for code, text in messages.EVENTS.items() if "entity" in str(text)])
def test_an_event_that_lacks_its_parameters_is_told_all_the_same(code: str) -> None:
    assert "web" in messages.event(code, entity="web", actor="alice", params={})


def test_an_unknown_event_is_told_by_its_code() -> None:
    assert messages.event("SOMETHING_NEW", entity="web", actor="alice", params={}) == "SOMETHING_NEW web"


def test_a_failed_job_is_told_with_its_reason() -> None:
    params = {"code": "HYPERVISOR_PACKAGE_MISSING", "params": {"package": "libvirt-daemon-system"}}
    told = messages.event("USER_FAILED_RUN_ONCE_VM", entity="web", actor="engine", params=params)
    assert told.startswith("Run Once of web failed.")
    assert "libvirt-daemon-system" in told


def test_states_and_verbs_are_told_in_peoples_words() -> None:
    no = Refusal("ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL", None, verb=Verb.STOP, status=Status.IMAGE_LOCKED)
    assert messages.refusal(no) == "“Power Off” is not possible while the virtual machine is in status “Image Locked”."


def test_the_error_of_a_job_of_another_version_is_told_somehow() -> None:
    assert messages.job_error({"code": "NOT_KNOWN_HERE", "params": {}}) == messages.sentence("ENGINE_FAILED", {})


def test_what_a_person_typed_cannot_break_a_sentence() -> None:
    no = Refusal("ILLEGAL_VALUE", "name", value="%(secret)s %s %d {0} <b>", allowed="%")
    assert "%(secret)s %s %d {0} <b>" in messages.refusal(no)


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        (messages.STATUSES, set(Status)),
        (messages.VERBS, {*Verb, *many.VERBS, *CALLS, *STEPS, "console", "prepare", "screenshot"}),
        (messages.PERMITS, set(ActionGroup)),
        (messages.FROZEN, set(Frozen)),
        (messages.NO_CONSOLE, set(NoConsole)),
        (messages.ENDED, set(Ended)),
        (messages.DEVICES, set(DeviceKind)),
    ],
)
def test_every_member_has_a_name(table: dict[str, object], keys: set[str]) -> None:
    assert set(table) == {str(key) for key in keys}


def test_every_pending_change_has_a_name() -> None:
    assert set(messages.CHANGES) == set(MachineSpec(id=BLANK, name="x").shape())
