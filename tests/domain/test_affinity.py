"""Together or apart, on which hosts: what a place breaks, and what no place could keep."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vms.domain.affinity import Affinity, Broken, Group, Polarity, Rule, contradiction

A, B, C, D = (UUID(int=number) for number in range(1, 5))
H1, H2, H3 = (UUID(int=number) for number in range(101, 104))
TOGETHER, APART = Rule(Polarity.POSITIVE), Rule(Polarity.NEGATIVE)


def wish(rule: Rule) -> Rule:
    return replace(rule, enforcing=False)


def group(*vms: UUID, name: str = "shop", hosts: Any = (), **rules: Any) -> Group:
    return Group(name, frozenset(vms), frozenset(hosts), **rules)


def refused(affinity: Affinity, vm: UUID, host: UUID) -> tuple[Broken, str] | None:
    found = affinity.forbids(vm, host)
    return (found.what, found.group.name) if found else None


def test_machines_that_belong_together_follow_the_first() -> None:
    shop = group(A, B, vms_rule=TOGETHER)
    nobody = Affinity((shop,))
    assert [refused(nobody, A, host) for host in (H1, H2)] == [None, None]
    there = nobody.placed(A, H1)
    assert refused(there, B, H1) is None
    assert refused(there, B, H2) == (Broken.APART, "shop")
    assert refused(there, C, H2) is None, "who is in no group goes anywhere"


def test_machines_that_keep_apart_never_share_a_host() -> None:
    there = Affinity((group(A, B, C, vms_rule=APART),), {A: H1, B: H2})
    assert refused(there, C, H1) == refused(there, C, H2) == (Broken.TOGETHER, "shop")
    assert refused(there, C, H3) is None
    assert refused(there, A, H1) is None, "its own place is no neighbour's"


def test_rules_about_hosts_tie_and_shun() -> None:
    tied = Affinity((group(A, name="gpu", hosts=[H1], hosts_rule=TOGETHER),))
    assert (refused(tied, A, H1), refused(tied, A, H2)) == (None, (Broken.ELSEWHERE, "gpu"))
    shunned = Affinity((group(A, name="old", hosts=[H1], hosts_rule=APART),))
    assert (refused(shunned, A, H1), refused(shunned, A, H2)) == ((Broken.SHUNNED, "old"), None)
    unfinished = Affinity((group(A, hosts_rule=TOGETHER),))
    assert refused(unfinished, A, H1) is None
    label = Affinity((group(A, name="licence", hosts_rule=TOGETHER, label=True),))
    assert refused(label, A, H1) == (Broken.UNLABELLED, "licence"), "a label that no host has leaves none"


def test_a_host_that_its_companions_may_not_be_on_is_refused_at_once() -> None:
    rules = (group(A, B, vms_rule=TOGETHER), group(B, name="gpu", hosts=[H2], hosts_rule=TOGETHER))
    assert refused(Affinity(rules), A, H1) == (Broken.COMPANION, "gpu")
    assert refused(Affinity(rules), A, H2) is None


def test_wishes_refuse_nothing_and_weigh_by_priority() -> None:
    light = group(A, B, name="light", vms_rule=wish(APART))
    heavy = replace(group(A, name="heavy", hosts=[H1], hosts_rule=wish(TOGETHER)), priority=5.0)
    there = Affinity((light, heavy), {B: H1})
    assert refused(there, A, H1) is refused(there, A, H2) is None
    assert there.cost(A, H1) < there.cost(A, H2)
    crowd = Affinity((group(A, B, C, D, vms_rule=wish(APART)),), {B: H1, C: H1, D: H2})
    assert crowd.cost(A, H2) < crowd.cost(A, H1), "the emptier host, where none is empty"


def test_who_runs_against_a_rule_is_named_with_it() -> None:
    torn = Affinity((group(A, B, C, vms_rule=TOGETHER),), {A: H1, B: H1, C: H2})
    assert {vm: [breach.what for breach in found] for vm, found in torn.broken().items()} == {C: [Broken.APART]}
    halves = Affinity((group(A, B, C, D, vms_rule=wish(TOGETHER)),), {A: H1, B: H1, C: H2, D: H2})
    assert set(halves.broken()) == {A, B, C, D}
    assert Affinity((group(A, B, vms_rule=APART),), {A: H1, B: H2}).broken() == {}
    assert torn.without([C]).broken() == {}


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ([group(A, B, name="a", vms_rule=TOGETHER), group(A, B, name="b", vms_rule=APART)], {"a", "b"}),
        (
            [
                group(A, B, name="a", vms_rule=TOGETHER),
                group(B, C, name="b", vms_rule=TOGETHER),
                group(A, C, name="c", vms_rule=APART),
            ],
            {"a", "b", "c"},
        ),
        (
            [
                group(A, name="a", hosts=[H1], hosts_rule=TOGETHER),
                group(A, name="b", hosts=[H2], hosts_rule=TOGETHER),
            ],
            {"a", "b"},
        ),
        (
            [group(A, name="a", hosts=[H1], hosts_rule=TOGETHER), group(A, name="b", hosts=[H1], hosts_rule=APART)],
            {"a", "b"},
        ),
        (
            [
                group(A, B, name="c", vms_rule=TOGETHER),
                group(A, name="a", hosts=[H1], hosts_rule=TOGETHER),
                group(B, name="b", hosts=[H2], hosts_rule=TOGETHER),
            ],
            {"a", "b"},
        ),
    ],
)
def test_rules_that_no_placement_keeps_contradict_each_other(groups: list[Group], said: set[str]) -> None:
    found = contradiction(groups)
    assert found is not None
    assert set(found.groups) == said
    soft = [replace(each, vms_rule=wish(each.vms_rule), hosts_rule=wish(each.hosts_rule)) for each in groups]
    assert contradiction(soft) is None, "wishes may contradict each other: the heavier one wins"


RULES = st.builds(Rule, st.sampled_from(Polarity), st.booleans())
GROUPS = st.builds(
    Group,
    st.just("any"),
    st.frozensets(st.sampled_from([A, B, C, D])),
    st.frozensets(st.sampled_from([H1, H2, H3])),
    RULES,
    RULES,
)


@given(st.lists(GROUPS, max_size=4))
def test_who_is_placed_one_after_the_other_where_nothing_forbids_it_breaks_no_enforcing_rule(
    groups: list[Group],
) -> None:
    affinity = Affinity(tuple(groups))
    for vm in (A, B, C, D):
        if (host := next((host for host in (H1, H2, H3) if affinity.forbids(vm, host) is None), None)) is not None:
            affinity = affinity.placed(vm, host)
    assert [each for found in affinity.broken().values() for each in found if each.enforcing] == []
