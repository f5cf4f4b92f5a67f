"""What actions leave behind: events, jobs that wait, and who holds a machine."""

from vms import messages
from vms.models import VM, AuditEvent, Job, JobState, Permission


def events(code: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(code=code))


def last_event() -> AuditEvent:
    event = AuditEvent.objects.first()
    assert event is not None
    return event


def told(event: AuditEvent) -> str:
    """The sentence that people read."""
    return messages.event(event.code, entity=event.entity_name, actor=event.actor_name, params=event.params)


def queued(vm: VM) -> list[str]:
    return list(Job.objects.filter(machine=vm.pk, state=JobState.QUEUED).values_list("verb", flat=True))


def holders(vm: VM) -> set[str]:
    return set(Permission.objects.filter(vm=vm).values_list("user__username", flat=True))
