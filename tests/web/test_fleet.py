"""Many machines made headless in WebAdmin: the dry run, the report with what was measured, and undoing it."""

import pytest
from django.test import Client

from tests.actions.test_many import carried_out
from tests.factories import machine
from tests.web.test_vm_detail import text_of
from vms.actions import create, preparations
from vms.domain.errors import Refusal
from vms.models import VM, Cluster, Job, Pool, Saving, Template, User

pytestmark = pytest.mark.django_db


def run(web: Client, **given: object) -> Job:
    """A run that was asked for on the page, carried out."""
    answer = web.post("/vms/many", given)
    assert answer.status_code == 302, answer.content.decode()[-2000:]
    return carried_out(Job.objects.filter(machine__in=Job.objects.values("pk")).first() or Job.objects.get())


def test_the_dry_run_says_what_becomes_of_each(web: Client, vm: VM, headless_vm: VM) -> None:
    text = text_of(web, f"/vms/many?verb=headless&vm={vm.pk}&vm={headless_vm.pk}")
    assert "web VNC One way in Not known to be within reach" in text
    assert "db None" in text
    assert "Changed: 2; of them running: 0; refused: 0." in text, "the other one gets a serial console"
    assert not VM.objects.get(pk=vm.pk).console.headless, "it was dry"
    back = text_of(web, f"/vms/many?verb=graphical&vm={vm.pk}&vm={headless_vm.pk}")
    assert "is so already" in back
    assert "Prepare each guest first" not in back


def test_a_report_has_an_undo_that_works_once(web: Client, vm: VM, headless_vm: VM) -> None:
    before = VM.objects.get(pk=vm.pk).console
    job = run(web, verb="headless", vm=[str(vm.pk)], expected="1", serial="1")
    assert "Undo this run" in text_of(web, f"/tasks/{job.pk}/")
    answer = web.post(f"/tasks/{job.pk}/undo")
    undone = Job.objects.get(verb="many_restore")
    assert answer["Location"] == f"/tasks/{undone.pk}/"
    carried_out(undone)
    assert VM.objects.get(pk=vm.pk).console == before
    text = text_of(web, f"/tasks/{job.pk}/")
    assert "This run was undone." in text
    assert "Undo this run" not in text


def test_a_report_tells_what_was_measured_and_claims_nothing(web: Client, vm: VM) -> None:
    job = run(web, verb="headless", vm=[str(vm.pk)], expected="1", serial="1")
    assert "was not measured on this installation" in text_of(web, f"/tasks/{job.pk}/")
    Saving.objects.create(
        host="h1",
        rounds=3,
        seconds=20,
        memory_headless=160.0,
        memory_graphical=171.5,
        cpu_headless=0.3,
        cpu_graphical=0.55,
    )
    text = text_of(web, f"/tasks/{job.pk}/")
    assert "171.5 MiB with a screen, 160.0 MiB without; the difference is 11.5 MiB of memory and 0.25 %" in text


def test_a_pool_and_the_machines_of_a_template_are_meant_as_a_whole(web: Client, vm: VM, admin: User) -> None:
    cluster = Cluster.objects.get(name="Default")
    pool = create.pool("desk", cluster=cluster, size=2, by=admin)
    template = create.template("golden", vm=vm, by=admin)
    made = create.vm("copy", cluster=cluster, template=template, by=admin)
    assert f"/vms/many?verb=headless&amp;pool={pool.pk}" in web.get(f"/pools/{pool.pk}/").content.decode()
    text = text_of(web, f"/vms/many?verb=headless&template={template.pk}")
    assert "for 1 virtual machine: copy" in text
    run(web, verb="headless", pool=str(pool.pk), expected="2", serial="1")
    assert Pool.objects.get().console.headless
    assert {row.console.headless for row in Pool.objects.get().vms.all()} == {True}
    assert not VM.objects.get(pk=made.pk).console.headless
    assert web.get("/vms/many?verb=headless&pool=nonsense").status_code == 404
    assert Template.objects.filter(name="golden").exists()


def test_a_machine_that_is_prepared_shows_its_way_in_the_report(web: Client, vm: VM, admin: User) -> None:
    job = run(web, verb="headless", vm=[str(vm.pk)], expected="1", prepare="1")
    assert "web Under way: Run with a screen" in text_of(web, f"/tasks/{job.pk}/")
    preparation = vm.preparations.get()
    preparations._fail(preparation.pk, Refusal("PREPARE_NO_GRUB"))
    assert "web Failed. The guest does not boot with GRUB" in text_of(web, f"/tasks/{job.pk}/")


def test_a_run_of_another_is_not_undone(web: Client, vm: VM, client: Client, alice: User) -> None:
    job = run(web, verb="headless", vm=[str(vm.pk)], expected="1", serial="1")
    other = Client()
    other.force_login(alice)
    assert other.post(f"/tasks/{job.pk}/undo").status_code in {403, 404}
    assert web.post(f"/tasks/{machine('x', by=User.objects.get(username='admin')).pk}/undo").status_code == 404
