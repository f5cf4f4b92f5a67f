"""How far a job is, written down while its hypervisor is at it."""

from vms.actions import jobs
from vms.hypervisors.base import Progress
from vms.models import Job

from .borrowing import give_back
from .crashpoints import crash_point


def progress_of(job: Job) -> Progress:
    """Write down how far a job is; it is called off when somebody says so, or when it is not ours any more."""

    def tell(percent: int) -> bool:
        crash_point(job.verb, "under_way")
        wanted = jobs.under_way(job, percent)
        give_back()
        return wanted

    return tell
