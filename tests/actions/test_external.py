"""What programs tell of: events that happened elsewhere, and jobs that they do themselves."""

import pytest

from tests.actions.test_places import refused
from tests.factories import person
from vms import messages
from vms.actions import external, jobs, power
from vms.actions._audit import coming_from
from vms.domain.lifecycle import Verb
from vms.models import VM, Host, Job, JobState, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

NO = "USER_NOT_AUTHORIZED_TO_PERFORM_ACTION"


def test_an_event_is_told_in_its_own_words(admin: User, vm: VM) -> None:
    event = external.add_event("100 % done", severity="warning", about=vm, by=admin, origin="backup", custom_id=7)
    told = messages.event(event.code, entity=event.entity_name, actor=event.actor_name, params=event.params)
    assert (told, event.severity, event.entity_id) == ("100 % done", "warning", vm.pk)


@pytest.mark.parametrize(
    ("text", "severity"), [("", "normal"), ("x" * 4001, "normal"), ("a\nb", "normal"), ("a", "fatal")]
)
def test_an_event_is_one_line_and_as_bad_as_events_are(admin: User, text: str, severity: str) -> None:
    refused("ILLEGAL_VALUE", external.add_event, text, severity=severity, by=admin)


def test_a_job_has_steps_and_ends_with_them(admin: User) -> None:
    with coming_from("192.0.2.1", "abc"):
        job = external.add_job("Backing up", by=admin)
    first, second = (external.add_step(job, name, by=admin) for name in ("reading", "writing"))
    external.end_step(first, succeeded=True, by=admin)
    refused("JOB_HAS_ENDED", external.end_step, first, succeeded=True, by=admin)
    external.end_job(job, succeeded=False, by=admin)
    assert [step.state for step in job.steps.all()] == [JobState.FINISHED, JobState.FAILED]
    assert (Job.objects.get().state, Job.objects.get().correlation_id, second.number) == (JobState.FAILED, "abc", 2)
    refused("JOB_HAS_ENDED", external.add_step, job, "more", by=admin)
    refused("JOB_HAS_ENDED", external.end_job, job, succeeded=True, by=admin)
    external.clear_job(job, by=admin)
    assert not Job.objects.exists()


def test_the_engine_leaves_such_a_job_alone(admin: User, host: Host, headless_vm: VM) -> None:
    job = external.add_job("Backing up", by=admin)
    external.add_job("Another one at the same time", by=admin)
    power.start(headless_vm, by=admin)
    assert (jobs.claim("engine", [host.pk]) or job).verb == Verb.START
    jobs.reclaim("engine")
    jobs.expire()
    jobs.ask_again()
    assert Job.objects.get(pk=job.pk).state == JobState.STARTED


def test_a_job_of_the_engine_is_not_ended_from_outside(admin: User, host: Host, headless_vm: VM) -> None:
    job = power.start(headless_vm, by=admin)
    for act in (external.clear_job, lambda job, by: external.end_job(job, succeeded=True, by=by)):
        refused("JOB_IS_NOT_EXTERNAL", act, job, by=admin)
    refused("JOB_IS_NOT_EXTERNAL", external.add_step, job, "mine", by=admin)


def test_telling_takes_a_right_of_its_own(admin: User, carol: User) -> None:
    refused(NO, external.add_event, "hers", by=carol)
    refused(NO, external.add_job, "hers", by=carol)
    refused(NO, external.end_job, external.add_job("his", by=admin), succeeded=True, by=carol)
    external.add_event("its", by=person("bot", role="ExternalEventsCreator"))
    external.add_job("its", by=person("robot", role="ExternalTasksCreator"))
