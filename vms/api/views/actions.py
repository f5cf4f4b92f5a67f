"""What can be done with a machine: each a POST with an `<action>`, answered by one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, Final

from rest_framework.response import Response

from vms import messages
from vms.actions import create, hosts, migration, pools, power
from vms.api.document import Document, Tree
from vms.api.faults import FAILED, Fault, missing
from vms.api.mapping import run_once
from vms.api.mapping import vm as table
from vms.api.mapping.draft import read, refuse
from vms.api.mapping.fields import BOOLEAN, Field, Reference
from vms.api.mapping.follow import tell_one
from vms.models import Job, JobState

from .base import Door, done, job_reference
from .infrastructure import HOSTS, JOBS
from .machines import POOLS, VMS

POWER: Final[dict[str, Callable[..., Job]]] = {
    "stop": power.stop,
    "shutdown": power.shutdown,
    "reboot": power.reboot,
    "reset": power.reset,
    "suspend": power.suspend,
}
_INITIALIZERS: Final = ("use_cloud_init", "use_sysprep", "use_ignition")


def _said(name: str) -> Field:
    """A yes or no in an action."""
    return Field(name, BOOLEAN, to=f"action.{name}")


class Acting(Door):
    """An action; whatever it says is an `<action>`."""

    acts = True
    takes: ClassVar[tuple[Field, ...]] = (_said("async"),)
    verb = ""

    def switch(self, action: Tree, name: str) -> bool:
        """A yes or no beside the entity in an action."""
        return name in action and bool(BOOLEAN.read(action[name], name))

    def looks_itself(self, action: Tree) -> bool:
        """Whether the client looks for the end of the action itself."""
        return self.switch(action, "async") or self.expects("202-accepted")

    def begun(self, job: Job, *, looks_itself: bool) -> Response:
        """The answer for a job that has begun."""
        if not looks_itself:
            return done(job, self.telling)
        href = f"{self.telling.base}/vms/{self.kwargs['key']}/{self.verb}/{job.pk}"
        told = {"href": href, "id": str(job.pk), "job": job_reference(job, self.telling), "status": "pending"}
        return Response(Document("action", told), 202, headers={"Location": href})


class Power(Acting):
    """Stop, shutdown, reboot, reset and suspend."""

    def post(self, request: Any, key: str) -> Response:
        """Record the job."""
        vm = self.row(VMS.rows(self.user), key)
        looks_itself = self.looks_itself(self.body("action"))
        return self.begun(POWER[self.verb](vm, by=self.user), looks_itself=looks_itself)


class Start(Acting):
    """Start: with a `<vm>` inside, or paused, it is oVirt's Run Once."""

    verb = "start"
    takes = (
        *(_said(name) for name in ("async", "pause", "volatile", "use_initialization", *_INITIALIZERS)),
        *(replace(field, path=f"vm/{field.path}") for field in run_once.FIELDS),
    )

    def post(self, request: Any, key: str) -> Response:
        """Record the job."""
        vm = self.row(VMS.rows(self.user), key)
        action = self.body("action")
        if sum(self.switch(action, name) for name in _INITIALIZERS) > 1:
            raise Fault(409, "Operation Failed", f"[Only one of {', '.join(_INITIALIZERS)} can be used at once.]")
        refuse(("use_sysprep", "use_ignition", "attach_wgt"), action)
        tells = self.switch(action, "use_cloud_init") or self.switch(action, "use_initialization") or None
        paused, volatile = self.switch(action, "pause"), self.switch(action, "volatile")
        looks_itself = self.looks_itself(action)
        if "vm" not in action and not paused and not volatile:
            return self.begun(power.start(vm, by=self.user, initialize=tells), looks_itself=looks_itself)
        draft = run_once.asked(action.get("vm") or {}, filtered=self.telling.filtered)
        allowed = tuple(self.named("hosts", ref, "host").pk for ref in run_once.hosts(draft))
        otherwise = run_once.first_boot(draft)
        overlay = run_once.overlay(draft, allowed, paused=paused or None, volatile=volatile)
        fleeting = bool(draft.take("attribute", "stateless", False))
        how: dict[str, Any] = {"initialize": tells, "otherwise": otherwise, "fleeting": fleeting}
        job = power.run_once(vm, overlay, by=self.user, **how)
        return self.begun(job, looks_itself=looks_itself)


class Migrate(Acting):
    """Move to another host while running."""

    verb = "migrate"
    takes = (
        *(_said("async"), _said("migrate_vms_in_affinity_closure")),
        *(Field(name, Reference(f"{name}s"), to=f"reference.{name}") for name in ("host", "cluster")),
    )

    def post(self, request: Any, key: str) -> Response:
        """Record the job; the host is the one that is named, else placement's."""
        vm = self.row(VMS.rows(self.user), key)
        action = self.body("action")
        looks_itself = self.looks_itself(action)
        self.require_same("cluster", vm.cluster, self._asked(action, "clusters", "cluster"))
        to = self._asked(action, "hosts", "host")
        together = self.switch(action, "migrate_vms_in_affinity_closure")
        job = migration.migrate(vm, to=to, together=together, by=self.user)
        return self.begun(job, looks_itself=looks_itself)

    def _asked(self, action: Tree, collection: str, name: str) -> Any:
        ref = Reference(collection).read(action[name], name) if name in action else None
        return self.named(collection, ref, name) if ref else None


class CancelMigration(Acting):
    """Stay on the host."""

    def post(self, request: Any, key: str) -> Response:
        """Have the migration called off."""
        vm = self.row(VMS.rows(self.user), key)
        self.body("action")
        return done(migration.cancel(vm, by=self.user), self.telling)


class Begun(Door):
    """An action that its client did not wait for."""

    acts = True

    def get(self, request: Any, key: str, job: str) -> Response:
        """What has become of it."""
        vm = self.row(VMS.rows(self.user), key)
        found = self.row(JOBS.rows(self.user).filter(machine=vm.pk), job)
        told: dict[str, Any] = {"id": str(found.pk), "job": job_reference(found, self.telling)}
        if found.error:
            told["fault"] = {"detail": f"[{messages.job_error(found.error)}]", "reason": FAILED}
        return Response(Document("action", {**told, "status": _OUTCOMES.get(found.state, "in_progress")}))


_OUTCOMES: Final = {
    JobState.QUEUED: "pending",
    JobState.FINISHED: "complete",
    JobState.FAILED: "failed",
    JobState.ABORTED: "failed",
}


class OfHost(Acting):
    """Whether machines may be started on a host."""

    def post(self, request: Any, key: str) -> Response:
        """Put it into maintenance, or end that."""
        host = self.row(HOSTS.rows(self.user), key)
        self.body("action")
        {"activate": hosts.activate, "deactivate": hosts.deactivate}[self.verb](host, by=self.user)
        return done()


class Clone(Acting):
    """Clone a VM under another name."""

    takes = tuple(replace(field, path=f"vm/{field.path}") for field in table.FIELDS if field.to)

    def post(self, request: Any, key: str) -> Response:
        """Make the clone."""
        vm = self.row(VMS.rows(self.user), key)
        inner = self.body("action").get("vm") or {}
        draft = read(table.FIELDS, inner, filtered=self.telling.filtered)
        name = draft.take("machine", "name")
        if not name:
            raise missing("Action", "vm.name")
        draft.values.pop("reference", None)
        made = create.clone(vm, name, changes=draft.changes(), by=self.user)
        return done(vm=tell_one(table.ENTITY, self.row(VMS.rows(self.user), str(made.pk)), self.telling))


class Detach(Acting):
    """Take a VM out of its pool."""

    def post(self, request: Any, key: str) -> Response:
        """Detach it."""
        vm = self.row(VMS.rows(self.user), key)
        self.body("action")
        pools.detach(vm, by=self.user)
        return done()


class Allocate(Acting):
    """Take a VM of a pool for oneself."""

    def post(self, request: Any, key: str) -> Response:
        """Give one and start it."""
        pool = self.row(POOLS.rows(self.user), key)
        self.body("action")
        taken = pools.take(pool, by=self.user)
        return done(vm=tell_one(table.ENTITY, self.row(VMS.rows(self.user), str(taken.pk)), self.telling))
