"""How well a machine can be reached: every combination of what is configured and what is known."""

from collections.abc import Iterator
from itertools import product

from vms.domain.access import NOTHING_KNOWN, Access, Cure, Facts, Proof, Rating, Seen, Way, rate
from vms.domain.console import HEADLESS, SPICE, SPICE_AND_VNC, VNC, Console, Graphics, Video

ADDRESSES = ((), ("192.0.2.7",))


def console(graphics: Graphics, *, serial: bool) -> Console:
    return Console(graphics=graphics, video=Video.QXL if graphics else None, serial=serial)


def every() -> Iterator[tuple[Console, Facts]]:
    """Every console with every state of knowledge about its machine."""
    for graphics, serial in product((HEADLESS, VNC, SPICE, SPICE_AND_VNC), (False, True)):
        for agent, addresses, heard, key, own in product(
            Seen, ADDRESSES, (False, True), (False, True), (None, False, True)
        ):
            facts = Facts(agent=agent, addresses=addresses, serial_heard=heard, guest_key=key, own_key=own)
            yield console(graphics, serial=serial), facts


def test_the_sixteen_combinations_of_the_fact_sheet() -> None:
    """Typed row by row (user-interface.md 10.5, 10): graphics, serial line, agent that answers, key in the guest."""
    table = {
        "----": "locked_out",
        "---k": "unknown",
        "--a-": "one_way",
        "--ak": "ok",
        "-s--": "unknown",
        "-s-k": "unknown",
        "-sa-": "ok",
        "-sak": "ok",
        "g---": "one_way",
        "g--k": "ok",
        "g-a-": "ok",
        "g-ak": "ok",
        "gs--": "ok",
        "gs-k": "ok",
        "gsa-": "ok",
        "gsak": "ok",
    }
    told = {}
    for graphics, serial, agent, key in product((HEADLESS, VNC), (False, True), Seen, (False, True)):
        if agent is Seen.BEFORE:
            continue
        row = "".join(
            letter if there else "-"
            for letter, there in zip("gsak", (graphics, serial, agent is Seen.NOW, key), strict=True)
        )
        told[row] = rate(console(graphics, serial=serial), Facts(agent=agent, guest_key=key)).rating.value
    assert told == table


def test_locked_out_is_exactly_who_has_no_way_at_all() -> None:
    for shown, facts in every():
        nothing = shown.headless and not shown.serial and not facts.guest_key
        unseen = facts.agent is Seen.NEVER and not facts.addresses
        assert rate(shown, facts).locked_out == (nothing and unseen), (shown, facts)


def test_a_rating_follows_from_how_many_ways_there_are_and_whether_one_is_proven() -> None:
    for shown, facts in every():
        access = rate(shown, facts)
        there = [proof for proof in access.ways.values() if proof != Proof.MISSING]
        proven = Proof.PROVEN in there
        expected = {
            Rating.LOCKED_OUT: not there,
            Rating.UNKNOWN: bool(there) and not proven,
            Rating.ONE_WAY: len(there) == 1 and proven,
            Rating.OK: len(there) > 1 and proven,
        }
        assert [rating for rating, holds in expected.items() if holds] == [access.rating]
        assert set(access.ways) == set(Way)


def test_more_ways_and_more_knowledge_never_make_it_worse() -> None:
    order = (Rating.LOCKED_OUT, Rating.UNKNOWN, Rating.ONE_WAY, Rating.OK)
    for shown, facts in every():
        here = order.index(rate(shown, facts).rating)
        better = [
            (console(shown.graphics or VNC, serial=shown.serial), facts),
            (console(shown.graphics, serial=True), facts),
            *((shown, _with(facts, **known)) for known in ({"agent": Seen.NOW}, {"addresses": ADDRESSES[1]})),
            *((shown, _with(facts, **known)) for known in ({"serial_heard": True}, {"guest_key": True})),
        ]
        assert all(order.index(rate(*case).rating) >= here for case in better), (shown, facts)


def _with(facts: Facts, **known: object) -> Facts:
    named = {name: getattr(facts, name) for name in Facts.__dataclass_fields__}
    return Facts(**{**named, **known})


def test_a_serial_line_is_proven_by_what_the_guest_wrote_there() -> None:
    line = console(HEADLESS, serial=True)
    assert rate(line).ways[Way.SERIAL] == Proof.UNPROVEN
    assert rate(line, Facts(serial_heard=True)).rating == Rating.ONE_WAY


def test_an_agent_that_answered_once_is_better_than_none() -> None:
    gone = rate(console(HEADLESS, serial=False), Facts(agent=Seen.BEFORE))
    assert (gone.ways[Way.GUEST], gone.rating) == (Proof.UNPROVEN, Rating.UNKNOWN)


def test_a_key_is_proven_only_where_there_is_an_address_to_use_it_at() -> None:
    dark = console(HEADLESS, serial=False)
    assert rate(dark, Facts(guest_key=True)).ways[Way.SSH_KEY] == Proof.UNPROVEN
    assert rate(dark, Facts(guest_key=True, addresses=ADDRESSES[1])).ways[Way.SSH_KEY] == Proof.PROVEN


def test_every_cure_would_better_what_it_is_offered_for() -> None:
    for shown, facts in every():
        access = rate(shown, facts)
        cured = {
            Cure.ENABLE_SERIAL: (console(shown.graphics, serial=True), facts),
            Cure.RUN_ONCE_WITH_VNC: (console(VNC, serial=shown.serial), facts),
        }
        for cure in access.cures:
            if cure in cured:
                after = rate(*cured[cure])
                assert _ways(after) > _ways(access), (cure, shown, facts)


def _ways(access: Access) -> int:
    return sum(proof != Proof.MISSING for proof in access.ways.values())


def test_who_is_locked_out_is_offered_a_cure_and_who_is_fine_none() -> None:
    for shown, facts in every():
        access = rate(shown, facts)
        assert not (access.locked_out and not access.cures)
        assert not (access.rating == Rating.OK and access.cures)


def test_a_key_of_ones_own_is_asked_for_only_where_it_opens_something() -> None:
    line, dark = console(HEADLESS, serial=True), console(HEADLESS, serial=False)
    assert Cure.ADD_SSH_KEY in rate(line, Facts(own_key=False)).cures
    for shown, facts in ((line, NOTHING_KNOWN), (line, Facts(own_key=True)), (dark, Facts(own_key=False))):
        assert Cure.ADD_SSH_KEY not in rate(shown, facts).cures
