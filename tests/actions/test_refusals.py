"""What the database refuses leaves an action as a refusal, with nothing done, on every database."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from vms.actions._action import action, locked, refusal_for
from vms.domain.errors import Refusal
from vms.models import VM, Cluster, Job, Step, Template

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def violated(**columns: Any) -> IntegrityError:
    """The error of a row that nobody checked."""
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        VM.objects.create(**{"name": "any", "cluster": Cluster.objects.get(), **columns})
    return error.value


def test_a_name_that_is_taken_is_told_at_the_name(cluster: Cluster) -> None:
    VM.objects.create(name="web", cluster=cluster)
    refusal = refusal_for(violated(name="web"))
    assert (refusal.code, refusal.field) == ("ACTION_TYPE_FAILED_NAME_ALREADY_USED", "name")


def test_the_version_of_a_template_that_is_taken_is_told_at_the_name() -> None:
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        Template.objects.create(name="Blank")
    assert refusal_for(error.value).code == "ACTION_TYPE_FAILED_NAME_ALREADY_USED"


def test_a_second_exclusive_job_is_told_as_a_lock() -> None:
    machine = uuid4()
    Job.objects.create(machine=machine, verb="start")
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        Job.objects.create(machine=machine, verb="stop")
    assert refusal_for(error.value).code == "ACTION_TYPE_FAILED_OBJECT_LOCKED"


def test_a_law_of_the_hardware_is_told_by_its_name(cluster: Cluster) -> None:
    refusal = refusal_for(violated(display_type="none"))
    assert (refusal.code, "vm_headless_is_one_fact" in str(refusal.params["constraint"])) == (
        "CONSTRAINT_VIOLATED",
        True,
    )


def test_an_unknown_constraint_tells_nothing_of_the_row(cluster: Cluster) -> None:
    refusal = refusal_for(violated(keyboard="xx", description="between you and me"))
    assert refusal.code == "CONSTRAINT_VIOLATED"
    assert "between" not in str(refusal.params)


def test_a_name_in_another_table_is_no_name_of_a_machine() -> None:
    job = Job.objects.create(external=True, description="name")
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        Step.objects.bulk_create([Step(job=job, number=1, name="name") for _ in range(2)])
    assert refusal_for(error.value).code == "CONSTRAINT_VIOLATED"


def test_a_missing_value_is_a_refusal_too(cluster: Cluster) -> None:
    refusal = refusal_for(violated(cluster=None))
    assert (refusal.code, "cluster_id" in str(refusal.params)) == ("CONSTRAINT_VIOLATED", True)


def test_what_was_done_before_the_database_refused_is_undone(cluster: Cluster) -> None:
    @action
    def half() -> None:
        VM.objects.create(name="first", cluster=cluster)
        VM.objects.create(name="first", cluster=cluster)

    with pytest.raises(Refusal, match="NAME_ALREADY_USED"):
        half()
    assert VM.objects.count() == 0


def test_what_was_done_before_the_rules_refused_is_undone(cluster: Cluster) -> None:
    @action
    def half() -> None:
        VM.objects.create(name="first", cluster=cluster)
        raise Refusal("ILLEGAL_VALUE", "memory", value=1, allowed="2")

    with pytest.raises(Refusal, match="ILLEGAL_VALUE"):
        half()
    assert VM.objects.count() == 0


def test_an_action_inside_another_undoes_no_more_than_its_own(cluster: Cluster) -> None:
    @action
    def inner() -> None:
        VM.objects.create(name="inner", cluster=cluster)
        raise Refusal("ENGINE_FAILED")

    @action
    def outer() -> None:
        VM.objects.create(name="outer", cluster=cluster)
        with pytest.raises(Refusal):
            inner()

    outer()
    assert [vm.name for vm in VM.objects.all()] == ["outer"]


def test_what_is_gone_is_refused_by_its_name(vm: VM) -> None:
    there = VM.objects.get(pk=vm.pk)
    vm.delete()
    with transaction.atomic(), pytest.raises(Refusal, match="VM_NOT_FOUND") as refused:
        locked(there)
    assert refused.value.params["name"] == "web"


def test_the_row_is_read_anew_under_the_lock(vm: VM) -> None:
    stale = VM.objects.get(pk=vm.pk)
    VM.objects.filter(pk=vm.pk).update(comment="changed meanwhile")
    with transaction.atomic():
        assert locked(stale).comment == "changed meanwhile"
