"""What is to be done on a hypervisor: recorded with the change that wants it, carried out by the engine."""

from uuid import UUID, uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .fields import EncryptedField


class JobState(models.TextChoices):
    """`waiting`: the hypervisor was asked, the guest has yet to follow; other actions may overtake it."""

    QUEUED = "queued", _("Queued")
    STARTED = "started", _("Started")
    WAITING = "waiting", _("Waiting")
    FINISHED = "finished", _("Finished")
    FAILED = "failed", _("Failed")
    ABORTED = "aborted", _("Aborted")


NO_MACHINE = UUID(int=0)
ACTIVE = (JobState.QUEUED.value, JobState.STARTED.value, JobState.WAITING.value)


class Job(models.Model):
    """One verb on one machine; a machine has at most one active exclusive job (a constraint, not a custom).

    `machine` is no foreign key: a job outlives the machine it removed. A job over `many` machines has none of them:
    its own id stands there, their number for a name, and its steps are the machines. Of those that wait the engine
    takes the ones of a higher `priority` first, then the older ones. A job is claimed by a conditional update that sets
    `lease_owner` and `lease_until`. An `external` one is done elsewhere by a program that only tells of it: it has a
    description in place of machine and verb, and the engine leaves it alone.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    external = models.BooleanField(default=False)
    description = models.CharField(max_length=255, blank=True)
    machine = models.UUIDField(db_index=True, default=NO_MACHINE)
    machine_name = models.CharField(max_length=64, blank=True)
    host = models.ForeignKey("Host", models.SET_NULL, null=True, blank=True, related_name="jobs")
    verb = models.CharField(max_length=24, blank=True)
    params = models.JSONField(default=dict)
    # What a job needs that nobody may read; gone as soon as it is done.
    sealed = EncryptedField(blank=True, default="", editable=False)
    exclusive = models.BooleanField(default=True)
    priority = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=12, choices=JobState, default=JobState.QUEUED)
    error = models.JSONField(null=True, blank=True)
    # What is done of it in percent, where its hypervisor tells; whether somebody wants it called off.
    progress = models.PositiveSmallIntegerField(null=True, blank=True)
    cancelling = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_owner = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    correlation_id = models.CharField(max_length=50, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    deadline = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = (
            models.Index(fields=("state", "created_at"), name="job_queue"),
            models.Index(fields=("machine", "created_at"), name="job_of_machine"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("machine",),
                condition=Q(exclusive=True, state__in=(JobState.QUEUED.value, JobState.STARTED.value)),
                name="one_exclusive_job_per_machine",
            ),
        )

    def __str__(self) -> str:
        if self.external:
            return self.description
        return self.machine_name if self.many else f"{self.verb} {self.machine_name}"

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    @property
    def many(self) -> bool:
        """Whether it is about many machines, each a step of it."""
        return self.machine == self.pk


class Step(models.Model):
    """One thing that a job did, with its outcome; oVirt's job steps.

    Of a job over many machines: one machine, what it was refused with, and the job that was recorded for it, or the
    preparation that was begun; `changed` is what was changed in it, so that it can be undone.
    """

    job = models.ForeignKey(Job, models.CASCADE, related_name="steps")
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=64, blank=True)
    description = models.CharField(max_length=255, blank=True)
    kind = models.CharField(max_length=24, default="executing")
    state = models.CharField(max_length=12, choices=JobState, default=JobState.STARTED)
    at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    machine = models.UUIDField(null=True, blank=True)
    error = models.JSONField(null=True, blank=True)
    led_to = models.ForeignKey(Job, models.SET_NULL, null=True, blank=True, related_name="+")
    changed = models.JSONField(null=True, blank=True)
    preparation = models.ForeignKey("Preparation", models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ("number",)
        constraints = (models.UniqueConstraint(fields=("job", "number"), name="step_once_per_job"),)
        indexes = (models.Index(fields=("job", "state", "number"), name="step_by_state"),)

    def __str__(self) -> str:
        return self.description or self.name
