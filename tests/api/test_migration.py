"""Moving a machine by programs: oVirt's `migrate` and `cancelmigration`."""

import pytest

from tests.actions.runs import up
from tests.api.caller import Caller
from tests.factories import person
from vms.actions import reports
from vms.domain.hosts import Capabilities
from vms.models import VM, Host, Job, Permission, Role, User

pytestmark = pytest.mark.django_db

ROOMY = Capabilities(memory=65536)


@pytest.fixture
def there(host: Host) -> Host:
    """A second host that is up."""
    reports.host_seen(host, ROOMY)
    made = Host.objects.create(name="other", cluster=host.cluster, maintenance=True)
    reports.host_seen(made, ROOMY)
    return made


@pytest.fixture
def running(headless_vm: VM, host: Host, there: Host, admin: User) -> VM:
    vm = up(headless_vm, host, by=admin)
    Host.objects.filter(pk=there.pk).update(maintenance=False)
    return vm


def test_it_is_moved_to_the_host_that_is_named_or_to_placements(api: Caller, running: VM, there: Host) -> None:
    answer = api.post(f"/vms/{running.pk}/migrate", "action", {"host": {"name": "other"}})
    assert (answer.status, answer.at("status")) == (200, "complete"), answer.text
    job = Job.objects.get(pk=answer.at("job/id"))
    assert (job.verb, job.params["to"]) == ("migrate", str(there.pk))
    assert api.get(f"/vms/{running.pk}").at("status") == "migrating"
    assert api.post(f"/vms/{running.pk}/cancelmigration", "action", {}).status == 200
    assert api.get(f"/vms/{running.pk}").at("status") == "up"
    assert api.post(f"/vms/{running.pk}/cancelmigration", "action", {}).status == 409
    asked = api.post(f"/vms/{running.pk}/migrate", "action", {"async": True})
    assert asked.status == 202
    assert api.get(f"/vms/{running.pk}/migrate/{asked.at('id')}").at("status") == "pending"


def test_what_is_not_possible_is_told(api: Caller, running: VM, host: Host, there: Host, vm: VM) -> None:
    def refused(at: VM, said: str, **action: object) -> None:
        answer = api.post(f"/vms/{at.pk}/migrate", "action", action)
        assert answer.status in {400, 409}
        assert said in answer.text

    refused(running, "runs on host local already", host={"id": str(host.pk)})
    refused(running, "Entity not found: host", host={"name": "nowhere"})
    refused(vm, "is not possible while the virtual machine is in status")
    reports.host_seen(there, Capabilities(memory=16))
    refused(running, "Host other has 16 MiB left to guarantee")
    Host.objects.filter(pk=there.pk).update(maintenance=True)
    refused(running, "Host other is in maintenance", host={"name": "other"})
    there.delete()
    refused(running, "There is no other host in cluster Default")
    assert not Job.objects.filter(verb="migrate").exists()


def test_who_may_use_a_machine_does_not_move_it(running: VM, there: Host, language: str) -> None:
    bob = person("bob")
    Permission.objects.create(user=bob, role=Role.objects.get(name="UserRole"), vm=running)
    assert Caller(bob, language).post(f"/vms/{running.pk}/migrate", "action", {}).status == 403
