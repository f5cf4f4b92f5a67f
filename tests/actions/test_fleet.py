"""A fleet made headless in one run: the forecast, pools, restarts, and exactly what was changed undone."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from tests.actions.runs import fresh, up
from tests.actions.test_many import carried_out, report
from tests.factories import headless, machine, person
from vms.actions import create, edit, fleet, many
from vms.domain.access import Rating
from vms.domain.changes import Changes
from vms.domain.console import SPICE, Video
from vms.management.commands import savings
from vms.models import VM, Cluster, Host, Job, Pool, Preparation, Saving, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


@pytest.fixture
def three(admin: User, host: Host) -> list[VM]:
    spice = lambda console, _offer: console.with_display(SPICE, Video.QXL)  # noqa: E731
    return [machine("m1", by=admin), machine("m2", by=admin, console=spice), machine("m3", by=admin, console=headless)]


@pytest.fixture
def pool(admin: User, host: Host) -> Pool:
    return create.pool("desk", cluster=Cluster.objects.get(name="Default"), size=3, by=admin)


def undo(job: Job, by: User) -> Job:
    machines = VM.objects.filter(pk__in=fleet.undoable(job).values("machine"))
    return carried_out(many.ask("restore", machines, by=by, of=str(job.pk)))


def test_a_run_is_undone_exactly(three: list[VM], admin: User) -> None:
    before = {vm.pk: fresh(vm).console for vm in three}
    run = carried_out(many.ask("headless", VM.objects.all(), by=admin, serial=True))
    assert all(vm.console.headless for vm in VM.objects.all())
    assert fleet.undoable(run).count() == 3, "the serial console of the third is new"
    edit.edit(fresh(three[0]), Changes(console=lambda console, offer: console.as_graphical(offer)), by=admin)
    undone = undo(run, admin)
    assert report(undone)[0] == ("m1", "failed", "FLEET_CHANGED_SINCE"), "somebody has changed it since"
    assert [fresh(vm).console for vm in three[1:]] == [before[vm.pk] for vm in three[1:]]
    again = undo(run, admin)
    assert {row[2] for row in report(again)} == {"FLEET_CHANGED_SINCE"}


def test_what_was_so_already_is_left_as_it_is(three: list[VM], admin: User) -> None:
    version = fresh(three[2]).version
    run = carried_out(many.ask("headless", VM.objects.filter(name="m3"), by=admin))
    assert (report(run), fleet.undoable(run).exists()) == ([("m3", "finished", None)], False)
    assert fresh(three[2]).version == version


def test_those_that_run_restart_where_that_was_asked(three: list[VM], host: Host, admin: User) -> None:
    for vm in (three[0], three[2]):
        up(vm, host, by=admin)
    later = carried_out(many.ask("headless", VM.objects.filter(name="m1"), by=admin, serial=True))
    assert (later.steps.get().led_to, fresh(three[0]).pending) == (None, True), "at the next start"
    now = carried_out(many.ask("headless", VM.objects.all(), by=admin, serial=True, restart=True))
    led_to = {step.name: step.led_to and step.led_to.verb for step in now.steps.all()}
    assert led_to == {"m1": "reboot", "m2": None, "m3": None}, "one is off, and one has no screen to lose"


def test_a_forecast_changes_nothing_and_names_what_is_missing(three: list[VM], host: Host, admin: User) -> None:
    up(three[0], host, by=admin)
    without = fleet.forecast("headless", fresh(three[0]), {})
    assert (without.changes, without.restart, without.no and without.no.code) == (True, True, "VM_WOULD_BE_LOCKED_OUT")
    with_serial = fleet.forecast("headless", fresh(three[0]), {"serial": True})
    assert with_serial.after is not None
    assert (with_serial.now.rating, with_serial.after.rating) == (Rating.ONE_WAY, Rating.UNKNOWN)
    assert with_serial.no is None
    assert not fleet.forecast("headless", three[2], {}).changes
    assert not fresh(three[0]).console.headless


def test_a_pool_is_converted_with_its_machines_and_back(pool: Pool, admin: User) -> None:
    alone = fleet.forecast("headless", pool.vms.all()[0], {"serial": True})
    assert alone.no
    assert alone.no.code == "ACTION_TYPE_FAILED_VM_IN_POOL"
    run = carried_out(many.ask("headless", pool.vms.all(), by=admin, pool=pool, serial=True))
    assert [row[:2] for row in report(run)] == [(name, "finished") for name in ("desk", "desk-1", "desk-2", "desk-3")]
    assert all(row.console.headless for row in (*Pool.objects.all(), *pool.vms.all()))
    undone = carried_out(many.ask("restore", VM.objects.none(), by=admin, pool=pool, of=str(run.pk)))
    assert report(undone) == [("desk", "finished", None)]
    assert not any(row.console.headless for row in (*Pool.objects.all(), *pool.vms.all()))


def test_guests_are_prepared_where_that_was_asked(three: list[VM], admin: User) -> None:
    run = carried_out(many.ask("headless", VM.objects.all(), by=admin, prepare=True))
    assert {step.preparation and step.preparation.alone for step in run.steps.all()} == {True}
    assert Preparation.objects.count() == 3
    assert not fresh(three[0]).console.headless, "not before its guest has said so"
    undone = undo(run, admin)
    assert {row[2] for row in report(undone)} == {"PREPARE_NOTHING_KEPT"}


def test_who_may_not_edit_them_converts_none(three: list[VM], pool: Pool, alice: User) -> None:
    run = carried_out(many.ask("headless", VM.objects.filter(name="m1"), by=person("dora"), serial=True))
    assert report(run) == [("m1", "failed", "USER_NOT_AUTHORIZED_TO_PERFORM_ACTION")]
    whole = carried_out(many.ask("headless", VM.objects.none(), by=alice, pool=pool))
    assert report(whole) == [("desk", "failed", "USER_NOT_AUTHORIZED_TO_PERFORM_ACTION")]


def test_it_is_the_same_in_a_terminal(three: list[VM], pool: Pool, admin: User) -> None:
    def fleet_command(*words: str) -> str:
        said = StringIO()
        call_command("fleet", *words, stdout=said)
        return said.getvalue()

    dry = fleet_command("headless", "--search", "name = m*", "--dry-run")
    assert [line.split()[0] for line in dry.splitlines()] == ["m1", "m2", "m3"]
    assert not Job.objects.exists()
    fleet_command("headless", "--pool", "desk")
    run = carried_out(Job.objects.get())
    assert Pool.objects.get().console.headless
    fleet_command("undo", str(run.pk))
    carried_out(Job.objects.get(verb="many_restore"))
    assert not Pool.objects.get().console.headless
    for words in (("headless",), ("undo", "nonsense"), ("headless", "--pool", "none"), ("headless", "--search", "=")):
        with pytest.raises(CommandError):
            fleet_command(*words)


def test_nothing_is_claimed_where_nothing_can_be_measured(
    host: Host, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HYPERVISOR = "memory"
    monkeypatch.setattr(savings, "place_guest", lambda: None)
    with pytest.raises(CommandError, match=r"Nothing was measured: .* does not run on this computer"):
        call_command("savings", "--rounds", "1", "--seconds", "1")
    assert not Saving.objects.exists()
