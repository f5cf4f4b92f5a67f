"""The first boot of machines: whether a start tells the guest of it, and what."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vms.domain.errors import Refusal
from vms.domain.initialization import PREFIX, Initialization
from vms.domain.secret import Secret
from vms.models import VM, Hardware, Job

UNTOLD = Secret("")


@dataclass(frozen=True, slots=True)
class Otherwise:
    """What one run is told in place of what is configured, by oVirt's words; kept encrypted until the run has begun."""

    words: Mapping[str, Any] = field(default_factory=dict)
    password: Secret = UNTOLD


def words_of(row: Hardware) -> dict[str, Any]:
    """What is configured of the first boot, without the password."""
    return {path: value for path, value in row.kept.items() if path.startswith(PREFIX)}


def of(row: Hardware, otherwise: Otherwise | None = None) -> Initialization:
    """What the guest of a machine is told."""
    if otherwise is None:
        return Initialization.of(row.kept, row.initialization_password)
    return Initialization.of({**row.kept, **otherwise.words}, otherwise.password or row.initialization_password)


def wanted(vm: VM, asked: bool | None) -> bool:
    """Whether a start tells the guest: as was asked, else at the first run of a machine that has something to tell."""
    return asked if asked is not None else not vm.initialized and not of(vm).empty


def seal(job: Job, otherwise: Otherwise | None) -> None:
    """Put what one run is told away with its job."""
    if otherwise is not None:
        told = {"words": dict(otherwise.words), "password": otherwise.password.reveal()}
        job.sealed = Secret(json.dumps(told))
        job.save(update_fields=["sealed"])


def files(vm: VM, job: Job) -> dict[str, bytes]:
    """The files of the seed for a start; empty where the guest is not told."""
    if not job.params.get("seed"):
        return {}
    if vm.adopted:
        raise Refusal("ADOPTED_KEEPS_ITS_DEFINITION", None, name=vm.name)
    otherwise = None
    if job.sealed:
        told = json.loads(job.sealed.reveal())
        otherwise = Otherwise(told["words"], Secret(told["password"]))
    return of(vm, otherwise).files(vm.pk, vm.name, vm.spec.nics)


def told(vm: VM, job: Job) -> None:
    """The run has begun: the next one is no first one, and nobody needs what was put away."""
    VM.objects.filter(pk=vm.pk).update(initialized=True)
    Job.objects.filter(pk=job.pk).update(sealed=UNTOLD)
