"""Lists take any search, any place, any choice and machines that change meanwhile: an answer, never a broken page."""

import base64
import json
from typing import Any

import pytest
from django.test import Client
from hypothesis import example, given
from hypothesis import strategies as st

from tests.actions.runs import fresh
from tests.examples import examples
from tests.factories import headless, machine
from vms.actions import jobs, many, remove
from vms.models import VM, JobState, User
from vms.search.languages import VMS

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

LISTS = ("/vms/", "/vms/rows", "/templates/", "/pools/", "/instance-types/", "/events/", "/tasks/", "/portal/")
_WORDS = ("(", ")", "and", "or", "=", "!=", ">", "<=", '"', "*", "\\", "sortby", "page", "2", "asc", "web", "true", "%")
# Anything that can be typed, and what is nearly a search.
ANYTHING = st.text(max_size=200)
NEARLY = st.lists(st.sampled_from([*_WORDS, *VMS.fields, *VMS.orders]), max_size=12).map(" ".join)


def answered(web: Client, path: str, **given: Any) -> None:
    answer = web.get(path, given)
    assert answer.status_code in {200, 204}, (path, given)


@given(text=ANYTHING | NEARLY, path=st.sampled_from(LISTS))
@example(text="(" * 5000, path="/vms/")
@example(text="name = " + "x" * 60_000, path="/vms/")
@example(text="\ud800", path="/vms/")
@example(text="שלום \u202e עולם", path="/events/")
@example(text="creationdate > 99999-99-99", path="/vms/")
@example(text="memory > 999999999999999999", path="/vms/")
@example(text="uptime > 999999999d", path="/vms/")
@examples(60)
def test_any_search_is_answered(text: str, path: str, web: Client, vm: VM) -> None:
    sent = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    answered(web, path, q=sent)
    assert web.get("/search/suggest/vm", {"q": sent, "cursor": str(len(sent) // 2)}).status_code == 200


@given(
    values=st.lists(st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.floats(), max_size=5),
    order=st.sampled_from(["", *(f"sortby {name}" for name in VMS.orders)]),
    way=st.sampled_from(["after", "before"]),
)
@examples(60)
def test_any_place_in_any_order_is_answered(values: list[Any], order: str, way: str, web: Client, vm: VM) -> None:
    mark = next((columns[0] for name, columns in VMS.orders.items() if order == f"sortby {name}"), "folded")
    told = json.dumps([mark, *values]).encode()
    answered(web, "/vms/", **{"q": order, way: base64.urlsafe_b64encode(told).decode()})


@given(raw=ANYTHING)
@examples(30)
def test_a_place_that_is_none_is_told_to_be_gone(raw: str, web: Client, vm: VM) -> None:
    answered(web, "/vms/", after=raw.replace("\0", ""))


def test_unknown_columns_and_choices_are_left_out(web: Client, admin: User, vm: VM) -> None:
    for kept in ({"columns": "x"}, {"columns": {"vm": "name"}}, {"columns": {"vm": ["nonsense", 3]}}, {"density": 7}):
        User.objects.filter(pk=admin.pk).update(preferences=kept)
        answered(web, "/vms/")
        answered(web, "/columns/vm")
    assert web.get("/columns/nonsense").status_code == 404
    assert web.post("/columns/vm", {"column": ["\0", "x" * 5000]}).status_code == 302


def test_machines_that_change_under_a_task_over_many_are_told_of_one_by_one(
    web: Client, vm: VM, headless_vm: VM, admin: User
) -> None:
    gone = machine("gone", by=admin, console=headless)
    job = many.ask("start", VM.objects.all(), by=admin, accept_lockout=True)
    remove.remove(gone, by=admin)
    VM.objects.filter(pk=headless_vm.pk).update(status="saving_state", observed="saving_state")
    taken = jobs.claim_many("engine")
    assert taken is not None
    while many.carry_on(taken):
        pass
    told = {step.name: step.state for step in job.steps.all()}
    assert told == {"web": JobState.FINISHED, "db": JobState.FAILED, "gone": JobState.FAILED}
    assert fresh(vm).busy
    text = web.get(f"/tasks/{job.pk}/").content.decode()
    assert "1 done, 2 refused, of 3" in text
    assert "is not possible while the virtual machine is in status “Saving State”" in text
