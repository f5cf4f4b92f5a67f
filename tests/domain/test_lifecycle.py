"""Which verb is allowed in which state, and which state people see while one is at work."""

from itertools import product

import pytest

from vms.domain.errors import Kind, Refusal
from vms.domain.lifecycle import ALLOWED, MIGRATING, NOT_RUNNING, REACHABLE, Status, Verb, allowed, require, shown

COLUMNS = ("run", "run_once", "shutdown_stop", "reboot", "reset", "suspend", "remove")

# engine-behaviour 7.3, typed row by row; "run" starts a machine that is down and resumes one that is not.
TABLE = {
    "down": "y y n n n n y",
    "wait_for_launch": "n n y n n n n",
    "powering_up": "n n y y y n n",
    "up": "n n y y y y n",
    "paused": "y n y n n n n",
    "reboot_in_progress": "n n y n y n n",
    "powering_down": "n n y n n n n",
    "suspended": "y n y n n n n",
    "saving_state": "n n n n n n n",
    "restoring_state": "n n n n n n n",
    "image_locked": "n n n n n n n",
    "image_illegal": "n n n n n n y",
    "not_responding": "n n y n n n n",
    # Not in the table: a machine on its way can be stopped, one that nobody knows anything of is left alone.
    "migrating_from": "n n y n n n n",
    "migrating_to": "n n y n n n n",
    "unknown": "n n n n n n n",
    "unassigned": "n n n n n n n",
}
COLUMN_OF = {
    Verb.RUN_ONCE: "run_once",
    Verb.SHUTDOWN: "shutdown_stop",
    Verb.STOP: "shutdown_stop",
    Verb.REBOOT: "reboot",
    Verb.RESET: "reset",
    Verb.SUSPEND: "suspend",
    Verb.REMOVE: "remove",
}
# Ours: there is no guest to ask in a suspended machine, and a button that says "shut down" would throw its memory
# away; oVirt's clients may still send the verb, and the action turns it into a stop.
OURS = {(Verb.SHUTDOWN, Status.SUSPENDED): False}


def cell(status: Status, column: str) -> bool:
    return TABLE[status.value].split()[COLUMNS.index(column)] == "y"


def test_the_states_are_ovirts() -> None:
    assert {status.value for status in Status} == set(TABLE)


@pytest.mark.parametrize("verb", COLUMN_OF)
def test_a_verb_is_allowed_where_ovirts_table_says_so(verb: Verb) -> None:
    expected = {status: OURS.get((verb, status), cell(status, COLUMN_OF[verb])) for status in Status}
    assert {status: allowed(verb, status) for status in Status} == expected


@pytest.mark.parametrize("status", Status)
def test_running_is_starting_what_is_down_and_resuming_what_is_not(status: Status) -> None:
    runs = (allowed(Verb.START, status), allowed(Verb.RESUME, status))
    assert runs == (cell(status, "run") and status == "down", cell(status, "run") and status != "down")


def test_a_machine_moves_while_it_has_memory_to_move() -> None:
    assert {status.value for status in ALLOWED[Verb.MIGRATE]} == {"up", "powering_up", "reboot_in_progress", "paused"}


def test_editing_is_allowed_in_every_state() -> None:
    assert all(allowed(Verb.EDIT, status) for status in Status)


def test_every_verb_has_its_row() -> None:
    assert set(ALLOWED) == set(Verb)


@pytest.mark.parametrize("verb", Verb)
def test_a_verb_is_refused_exactly_where_it_is_not_allowed(verb: Verb) -> None:
    refused = set()
    for status in Status:
        try:
            require(verb, status)
        except Refusal:
            refused.add(status)
    assert refused == {status for status in Status if not allowed(verb, status)}


def test_the_refusal_names_verb_and_state_as_a_conflict() -> None:
    with pytest.raises(Refusal) as refusal:
        require(Verb.RUN_ONCE, Status.UP)
    assert (refusal.value.code, refusal.value.kind, refusal.value.field, refusal.value.params) == (
        "ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL",
        Kind.CONFLICT,
        None,
        {"verb": "run_once", "status": "up"},
    )


def test_a_machine_without_a_guest_is_ovirts_set() -> None:
    assert {status.value for status in NOT_RUNNING} == {"down", "suspended", "image_locked", "image_illegal"}


def test_a_console_is_reachable_in_ovirts_set() -> None:
    assert {status.value for status in REACHABLE} == {
        "powering_up",
        "up",
        "reboot_in_progress",
        "powering_down",
        "paused",
        "migrating_from",
        "saving_state",
    }


def test_a_machine_on_its_way_is_in_either_of_two_states() -> None:
    assert {status.value for status in MIGRATING} == {"migrating_from", "migrating_to"}


# -- what people see

# The observed state and the verb at work → what is shown, where that is not what is observed.
SHOWN: dict[tuple[Verb, str], str] = {
    **{(verb, status): "wait_for_launch" for verb in (Verb.START, Verb.RUN_ONCE) for status in NOT_RUNNING},
    **{(Verb.SHUTDOWN, status): "powering_down" for status in set(Status) - NOT_RUNNING},
    **{(Verb.STOP, status): "powering_down" for status in set(Status) - NOT_RUNNING},
    **{(Verb.SUSPEND, status): "saving_state" for status in set(Status) - NOT_RUNNING},
    **{(Verb.MIGRATE, status): "migrating_from" for status in set(Status) - NOT_RUNNING},
    **{(Verb.REBOOT, status): "reboot_in_progress" for status in Status},
    (Verb.RESUME, "suspended"): "restoring_state",
}


@pytest.mark.parametrize("verb", Verb)
def test_people_see_what_a_verb_makes_of_the_observed_state(verb: Verb) -> None:
    expected = {status: SHOWN.get((verb, status), status) for status in Status}
    assert {status: shown(status, verb) for status in Status} == expected


def test_without_a_verb_at_work_people_see_what_is_observed() -> None:
    assert [shown(status, None) for status in Status] == list(Status)


@pytest.mark.parametrize("verb", [Verb.EDIT, Verb.REMOVE, Verb.RESET])
def test_a_verb_that_takes_no_time_changes_no_status(verb: Verb) -> None:
    assert all(shown(status, verb) is status for status in Status)


def test_a_start_that_is_under_way_allows_no_second_start() -> None:
    beginnings = product((Verb.START, Verb.RUN_ONCE), (Verb.START, Verb.RUN_ONCE, Verb.RESUME))
    assert not any(allowed(second, shown(Status.DOWN, first)) for first, second in beginnings)


def test_a_start_that_is_under_way_can_be_stopped() -> None:
    assert allowed(Verb.STOP, shown(Status.DOWN, Verb.START))
