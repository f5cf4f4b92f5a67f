"""Affinity in everything that chooses a host: starts, runs once, restarts, migrations, and hosts that are emptied."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.actions.runs import choosing, down, fresh, started, up
from tests.factories import machine, person
from vms import messages
from vms.actions import _affinity, affinity, affinity_labels, hosts, migration, power, reports
from vms.domain.errors import Refusal
from vms.domain.hosts import Capabilities, Ended
from vms.domain.runonce import ConsoleChoice
from vms.models import VM, AffinityGroup, AuditEvent, Cluster, DataCenter, Host, Job, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

OFFERS = Capabilities(memory=8192)
Vms = Callable[[str], VM]


@pytest.fixture
def three(host: Host) -> list[Host]:
    """Three hosts, the first with the most memory left, the last with the least."""
    reports.host_seen(host, OFFERS)
    made = [Host.objects.create(name=name, cluster=host.cluster) for name in ("second", "third")]
    for number, each in enumerate(made, 1):
        reports.host_seen(each, replace(OFFERS, memory=8192 - 1024 * number))
    return [host, *made]


@pytest.fixture
def vms(admin: User) -> Vms:
    return lambda name: machine(name, by=admin, memory=256)


@pytest.fixture
def group(cluster: Cluster, admin: User) -> Callable[..., AffinityGroup]:
    return lambda name="shop", **said: affinity.create(name, cluster=cluster, by=admin, **said)


def refused(act: Callable[..., Any], *given: Any, **said: Any) -> tuple[str, str]:
    """The code of a refusal, and its sentence."""
    with pytest.raises(Refusal) as no:
        act(*given, **said)
    return no.value.code, messages.refusal(no.value)


def where(vm: VM, by: User) -> Host:
    """Start it, and say where placement sent it."""
    job = power.start(vm, by=by)
    assert job.host is not None
    started(vm, job.host)
    return job.host


def test_machines_that_belong_together_start_together(three: Any, vms: Vms, group: Any, admin: User) -> None:
    web, db = vms("web"), vms("db")
    group(vms_rule="positive", vms=[web, db])
    assert where(web, admin) == three[0]
    reports.host_seen(three[1], replace(OFFERS, memory=65_536))
    assert where(db, admin) == three[0], "not where there is most memory"


def test_a_refusal_says_which_group_forbids_which_host(three: Any, vms: Vms, group: Any, admin: User) -> None:
    machines = [vms(name) for name in ("a", "b", "c", "d")]
    group("apart", vms_rule="negative", vms=machines)
    assert [where(vm, admin) for vm in machines[:3]] == three
    code, said = refused(power.start, machines[3], by=admin)
    assert code == "ACTION_TYPE_FAILED_VDS_VM_AFFINITY"
    for host, there in zip(three, "abc", strict=True):
        assert f"Not on host {host}: affinity group apart keeps it apart from {there}, running there." in said
    down(fresh(machines[0]), three[0])
    assert where(machines[3], admin) == three[0]


def test_two_that_keep_apart_do_not_choose_the_same_host_before_either_runs(
    three: Any, vms: Vms, group: Any, admin: User
) -> None:
    machines = [vms(name) for name in ("a", "b")]
    group(vms_rule="negative", vms=machines)
    assert len({power.start(vm, by=admin).host_id for vm in machines}) == 2


def test_more_machines_than_one_query_takes_are_asked_for_in_several(
    three: Any, vms: Vms, group: Any, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_affinity, "_AT_ONCE", 1)
    machines = [vms(name) for name in ("a", "b", "c")]
    group(vms_rule="negative", vms=machines)
    assert [where(vm, admin) for vm in machines] == three


def test_hosts_are_tied_and_shunned_by_name_and_by_label(three: Any, vms: Vms, group: Any, admin: User) -> None:
    tied, shy, labelled = vms("tied"), vms("shy"), vms("labelled")
    group("gpu", hosts_rule="positive", vms=[tied], hosts=[three[1]])
    group("old", hosts_rule="negative", vms=[shy], hosts=[three[0]])
    assert (where(tied, admin), where(shy, admin)) == (three[1], three[1])
    licence = affinity_labels.create("licence", vms=[labelled], hosts=[three[2]], by=admin)
    assert power.start(labelled, by=admin).host == three[0], "a label by itself ties nothing"
    power.stop(fresh(labelled), by=admin)
    affinity_labels.edit(licence, implicit=True, by=admin)
    assert where(labelled, admin) == three[2]
    affinity_labels.detach(licence, three[2], by=admin)
    down(fresh(labelled), three[2])
    assert "affinity label licence ties it to the hosts that have it (–)" in refused(power.start, labelled, by=admin)[1]


def test_groups_name_machines_and_hosts_by_label(three: Any, vms: Vms, group: Any, admin: User) -> None:
    web = vms("web")
    blue, fast = (affinity_labels.create(name, by=admin) for name in ("blue", "fast"))
    group(hosts_rule="positive", vm_labels=[blue], host_labels=[fast])
    affinity_labels.attach(blue, web, by=admin)
    affinity_labels.attach(fast, three[2], by=admin)
    assert where(web, admin) == three[2]


def test_wishes_come_before_memory_and_never_stand_in_the_way(three: Any, vms: Vms, group: Any, admin: User) -> None:
    machines = [vms(name) for name in ("a", "b", "c", "d")]
    group(vms_rule="negative", vms_enforcing=False, vms=machines)
    assert [where(vm, admin) for vm in machines[:3]] == three
    assert where(machines[3], admin) in three


def test_running_once_and_a_restart_follow_the_same_rules(three: Any, vms: Vms, group: Any, admin: User) -> None:
    web = vms("web")
    VM.objects.filter(pk=web.pk).update(high_availability=True)
    made = group(hosts_rule="positive", vms=[web], hosts=[three[2]])
    web = up(web, three[2], by=admin, overlay=choosing(ConsoleChoice.HEADLESS))
    affinity.edit(made, hosts=[three[1]], by=admin)
    down(web, three[2], Ended.CRASHED)
    assert Job.objects.get(machine=web.pk, state="queued").host == three[1], "highly available, started again"


def test_a_restart_that_affinity_leaves_no_host_for_is_told_with_its_reasons(
    three: Any, vms: Vms, group: Any, admin: User
) -> None:
    web = vms("web")
    VM.objects.filter(pk=web.pk).update(high_availability=True)
    host = where(web, admin)
    group("nowhere", hosts_rule="negative", vms=[web], hosts=three)
    down(fresh(web), host, Ended.CRASHED)
    event = AuditEvent.objects.get(code="USER_FAILED_START_VM")
    told = messages.event(event.code, entity="web", actor="engine", params=event.params)
    assert "Affinity leaves no host for web at present." in told
    assert all(f"Not on host {each}: affinity group nowhere keeps it away from there." in told for each in three)


def test_migration_asks_the_same_rules(three: Any, vms: Vms, group: Any, admin: User) -> None:
    web, db = vms("web"), vms("db")
    group(vms_rule="negative", vms=[web, db])
    assert (where(web, admin), where(db, admin)) == (three[0], three[1])
    told = {
        each.host.name: each.why_not and messages.refusal(each.why_not) for each in migration.destinations(fresh(web))
    }
    assert told["third"] is None
    assert told["second"] == "Not on host second: affinity group shop keeps it apart from db, running there."
    code, _said = refused(migration.migrate, fresh(web), to=three[1], by=admin)
    assert code == "AFFINITY_FAILED_NEGATIVE"
    assert migration.migrate(fresh(web), by=admin).params["to"] == str(three[2].pk)


def test_those_that_belong_together_move_together_or_not_at_all(three: Any, vms: Vms, group: Any, admin: User) -> None:
    web, db = vms("web"), vms("db")
    group(vms_rule="positive", vms=[web, db])
    where(web, admin), where(db, admin)
    assert refused(migration.migrate, fresh(web), by=admin)[0] == "AFFINITY_FAILED_POSITIVE"
    assert [each.name for each in migration.companions(fresh(web))] == ["db"]
    migration.migrate(fresh(web), to=three[2], together=True, by=admin)
    assert {job.params["to"] for job in Job.objects.filter(verb="migrate")} == {str(three[2].pk)}


def test_emptying_a_host_keeps_companions_together_and_rivals_apart(
    three: Any, vms: Vms, group: Any, admin: User
) -> None:
    web, db, rival = vms("web"), vms("db"), vms("rival")
    group(vms_rule="positive", vms=[web, db])
    where(web, admin), where(db, admin)
    group("rivals", vms_rule="negative", vms=[db, rival])
    assert where(rival, admin) == three[1]
    hosts.deactivate(three[0], by=admin)
    assert {job.params["to"] for job in Job.objects.filter(verb="migrate")} == {str(three[2].pk)}


def test_a_host_that_cannot_be_emptied_keeps_all_and_says_for_which_group(
    three: Any, vms: Vms, group: Any, admin: User
) -> None:
    web = vms("web")
    group("gpu", hosts_rule="positive", vms=[web], hosts=[three[0]])
    where(web, admin)
    code, said = refused(hosts.deactivate, three[0], by=admin)
    assert code == "VDS_CANNOT_MAINTENANCE_VMS_STAY"
    assert "affinity group gpu ties it to other hosts (local)" in said
    assert not Job.objects.filter(verb="migrate").exists()


def test_who_runs_against_a_rule_is_moved_to_mend_it(three: Any, vms: Vms, group: Any, admin: User) -> None:
    web, db = vms("web"), vms("db")
    where(web, admin), where(db, admin)
    assert refused(migration.mend, fresh(web), by=admin)[0] == "AFFINITY_IS_KEPT"
    soft = group("soft", vms_rule="negative", vms_enforcing=False, vms=[web, db])
    assert set(affinity.affinity_of(soft.cluster).broken()) == {web.pk, db.pk}
    migration.mend(fresh(web), by=admin)
    assert affinity.affinity_of(soft.cluster).broken() == {}, "the one under way counts where it is going"


def test_companions_on_a_wrong_host_leave_it_together(three: Any, vms: Vms, group: Any, admin: User) -> None:
    web, db = vms("web"), vms("db")
    group(vms_rule="positive", vms=[web, db])
    where(web, admin), where(db, admin)
    group("gpu", hosts_rule="positive", vms=[db], hosts=[three[2]])
    migration.mend(fresh(db), by=admin)
    assert {job.params["to"] for job in Job.objects.filter(verb="migrate")} == {str(three[2].pk)}
    assert Job.objects.filter(verb="migrate").count() == 2


def test_a_wish_that_nothing_would_suit_better_is_said_to(three: Any, vms: Vms, group: Any, admin: User) -> None:
    web = vms("web")
    where(web, admin)
    group(hosts_rule="negative", hosts_enforcing=False, vms=[web], hosts=three)
    assert refused(migration.mend, fresh(web), by=admin)[0] == "AFFINITY_NOWHERE_BETTER"


def test_enforcing_rules_that_contradict_each_other_are_refused_with_nothing_changed(
    three: Any, vms: Vms, group: Any, admin: User
) -> None:
    web, db = vms("web"), vms("db")
    group("pair", vms_rule="positive", vms=[web, db])
    code, said = refused(group, "rivals", vms_rule="negative", vms=[web, db])
    assert code == "AFFINITY_RULES_TEAR_APART"
    assert "rivals, pair contradict each other: they want db, web both together and apart" in said
    group("gpu", hosts_rule="positive", vms=[web], hosts=[three[0]])
    assert "no host is left for db, web" in refused(group, "cpu", hosts_rule="positive", vms=[db], hosts=[three[1]])[1]
    label = affinity_labels.create("blue", implicit=True, hosts=[three[1]], by=admin)
    assert refused(affinity_labels.attach, label, db, by=admin)[0] == "AFFINITY_RULES_LEAVE_NO_HOST"
    assert not label.vms.exists()
    assert set(AffinityGroup.objects.values_list("name", flat=True)) == {"pair", "gpu"}


def test_a_group_takes_what_its_cluster_has_and_sensible_values(
    three: Any, vms: Vms, group: Any, cluster: Cluster, admin: User
) -> None:
    center = DataCenter.objects.create(name="away")
    away = Host.objects.create(name="away", cluster=Cluster.objects.create(name="away", data_center=center))
    for said, code, field in (
        ({"hosts": [away]}, "ACTION_TYPE_FAILED_ENTITY_NOT_IN_AFFINITY_GROUP_CLUSTER", "hosts"),
        ({"vms_rule": "sideways"}, "ILLEGAL_VALUE", "vms_rule"),
        ({"priority": -1.0}, "ILLEGAL_VALUE", "priority"),
        ({"priority": float("nan")}, "ILLEGAL_VALUE", "priority"),
        ({"name": " "}, "ILLEGAL_VALUE", "name"),
        ({"name": "x" * 256}, "ILLEGAL_VALUE", "name"),
    ):
        with pytest.raises(Refusal) as no:
            group(**said)
        assert (no.value.code, no.value.field) == (code, field), said
    group()
    assert refused(group)[0] == "ACTION_TYPE_FAILED_NAME_ALREADY_USED"
    affinity.create("shop", cluster=away.cluster, by=admin)


def test_a_host_that_changes_its_cluster_leaves_the_groups_of_the_old_one(three: Any, group: Any, admin: User) -> None:
    made = group(hosts=[three[1]])
    hosts.deactivate(three[1], by=admin)
    other = Cluster.objects.create(name="other", data_center=three[1].cluster.data_center)
    hosts.edit(three[1], cluster=other, by=admin)
    assert not made.hosts.exists()


def test_groups_are_their_clusters_administrators_and_labels_the_tag_managers(
    vms: Vms, group: Any, cluster: Cluster, admin: User, carol: User
) -> None:
    made, web = group(), vms("web")
    keeper = person("keeper", role="ClusterAdmin", cluster=cluster)
    affinity.edit(made, vms=[web], description="of the shop", by=keeper)
    event = AuditEvent.objects.get(code="USER_UPDATED_AFFINITY_GROUP")
    assert (event.after, event.actor) == ({"description": "of the shop", "vms": "web"}, keeper)
    denied = "USER_NOT_AUTHORIZED_TO_PERFORM_ACTION"
    for act in (
        lambda: affinity.create("hers", cluster=cluster, by=carol),
        lambda: affinity.edit(made, name="hers", by=carol),
        lambda: affinity.attach(made, "vms", web, by=carol),
        lambda: affinity.remove(made, by=carol),
        lambda: affinity_labels.create("hers", by=carol),
    ):
        assert refused(act)[0] == denied
    affinity.edit(made, vms=[web], by=keeper)
    assert AuditEvent.objects.filter(code="USER_UPDATED_AFFINITY_GROUP").count() == 1, "nothing was changed again"
    affinity.remove(made, by=keeper)
    assert VM.objects.filter(pk=web.pk).exists()
