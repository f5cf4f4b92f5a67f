"""Moving machines in WebAdmin: the dialog, the progress on the page, the tasks, the maintenance of a host."""

import pytest
from django.test import Client

from tests.actions.runs import up
from tests.web.kinds import HTMX, html_of, text_of
from vms.actions import jobs, migration, reports
from vms.domain.errors import Refusal
from vms.domain.hosts import Capabilities
from vms.models import VM, Disk, DiskAttachment, Host, HostStatus, Job, StorageDomain, User

pytestmark = pytest.mark.django_db

ROOMY = Capabilities(memory=65536)


@pytest.fixture
def there(host: Host) -> Host:
    """A second host that is up."""
    reports.host_seen(host, ROOMY)
    made = Host.objects.create(name="other", cluster=host.cluster)
    reports.host_seen(made, ROOMY)
    return made


@pytest.fixture
def running(headless_vm: VM, host: Host, admin: User) -> VM:
    return up(headless_vm, host, by=admin)


def test_the_dialog_offers_hosts_and_says_why_others_will_not_do(
    web: Client, running: VM, there: Host, host: Host
) -> None:
    small = Host.objects.create(name="small", cluster=host.cluster)
    reports.host_seen(small, Capabilities(memory=10))
    kvm = Host.objects.create(name="fast", cluster=host.cluster)
    reports.host_seen(kvm, Capabilities(memory=65536, accelerator="kvm"))
    told = text_of(web, f"/vms/{running.pk}/migrate")
    assert "db runs on host local and goes on, without a restart, on another host of cluster Default" in told
    assert "Chosen automatically: other (65536 MiB left)" in told
    assert "Host small has 10 MiB left to guarantee; the machine takes 1024 MiB" in told
    assert "Host fast runs machines by KVM, this machine" in told
    fragment = html_of(web.get(f"/vms/{running.pk}/migrate", headers=HTMX))
    assert "<html" not in fragment
    answer = web.post(f"/vms/{running.pk}/migrate", {"host": str(small.pk)})
    assert (answer.status_code, Job.objects.filter(verb="migrate").count()) == (422, 0)
    answer = web.post(f"/vms/{running.pk}/migrate", {"host": str(there.pk)})
    assert (answer.status_code, Job.objects.get(verb="migrate").params["to_name"]) == (302, "other")


def test_a_disk_that_no_other_host_reaches_keeps_it(web: Client, running: VM, there: Host, host: Host) -> None:
    storage = StorageDomain.objects.create(name="inside", data_center=host.cluster.data_center, host=host)
    disk = Disk.objects.create(name="root", domain=storage, size=1024**2)
    DiskAttachment.objects.create(disk=disk, vm=running)
    told = text_of(web, f"/vms/{running.pk}/migrate")
    assert "Disk root lies on storage inside, which host local alone has." in told
    assert web.post(f"/vms/{running.pk}/migrate", {"host": ""}).status_code == 422


def test_one_that_is_down_is_not_moved(web: Client, vm: VM, there: Host) -> None:
    assert "“Migrate” is not possible while" in text_of(web, f"/vms/{vm.pk}/migrate")
    assert web.post(f"/vms/{vm.pk}/migrate", {"host": ""}).status_code == 422


def test_the_page_tells_how_far_it_is_and_calls_it_off(
    web: Client, running: VM, there: Host, host: Host, admin: User
) -> None:
    job = migration.migrate(running, by=admin)
    assert jobs.claim("engine", [], moving=[host.pk]) == job
    job.refresh_from_db()
    jobs.begin_step(job, "migrate")
    assert jobs.under_way(job, 43)
    told = text_of(web, f"/vms/{running.pk}/")
    assert "It moves to host other." in told
    assert "43 %" in told
    assert "43 %" in text_of(web, "/tasks/")
    page = text_of(web, f"/tasks/{job.pk}/")
    assert "Migrate: Started" in page
    assert web.post(f"/tasks/{job.pk}/cancel").status_code == 302
    assert "The migration is being called off." in text_of(web, f"/vms/{running.pk}/")
    assert not jobs.under_way(job, 44), "whoever carries it out is told"
    assert jobs.abort(job, Refusal("JOB_CANCELLED"))
    assert "43 %" not in text_of(web, f"/vms/{running.pk}/")


def test_a_host_is_emptied_before_it_rests(web: Client, running: VM, there: Host, host: Host) -> None:
    assert web.post(f"/hosts/{host.pk}/actions/maintenance").status_code == 302
    assert Job.objects.get(verb="migrate").machine == running.pk
    assert "Preparing For Maintenance" in text_of(web, f"/hosts/{host.pk}/")
    reports.machine_missing(host, running.pk)
    host.refresh_from_db()
    assert host.shown_status == HostStatus.MAINTENANCE


def test_a_host_whose_machines_cannot_leave_says_which(web: Client, running: VM, host: Host) -> None:
    answer = web.post(f"/hosts/{host.pk}/actions/maintenance", follow=True)
    assert "db cannot leave host local. There is no other host in cluster Default." in html_of(answer)
    host.refresh_from_db()
    assert not host.maintenance
