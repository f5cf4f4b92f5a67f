"""Hands that hang are replaced, as often as there are spare ones."""

import threading
from collections.abc import Iterator

import pytest

from tests.hypervisors.conftest import wait_until
from vms.engine import hands
from vms.engine.hands import Hands


@pytest.fixture
def hang() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_what_is_done_comes_back_with_its_outcome() -> None:
    some = Hands("test", 2)
    assert some.do(lambda: 42).result(5) == 42
    with pytest.raises(ZeroDivisionError):
        some.do(lambda: 1 // 0).result(5)
    assert some.do(lambda: threading.current_thread().name).result(5) == "test"
    some.close()


def test_as_many_work_as_there_are_and_no_more(hang: threading.Event) -> None:
    some = Hands("test", 2)
    outcomes = [some.do(lambda: hang.wait(10)) for _ in range(3)]
    wait_until(lambda: sum(one.running() for one in outcomes) == 2, 5, "two at work")
    assert some.free == -1
    hang.set()
    assert [one.result(5) for one in outcomes] == [True] * 3
    wait_until(lambda: some.free == 2, 5, "both free")
    some.close()


def test_one_that_hangs_is_replaced_until_there_is_none_to_spare(
    monkeypatch: pytest.MonkeyPatch, hang: threading.Event
) -> None:
    monkeypatch.setattr(hands, "SPARE", 2)
    some = Hands("test", 1)
    for _ in range(2):
        stuck = some.do(lambda: hang.wait(10))
        wait_until(stuck.running, 5, "it is at work")
        some.give_up(stuck)
    assert some.free == 0, "a host at which so much hangs is left alone"
    hang.set()
    wait_until(lambda: some.free == 1, 5, "they have come back")
    assert some.do(lambda: "again").result(5) == "again"
    some.close()


def test_whoever_waits_for_a_hand_is_told_when_one_is_free() -> None:
    told = threading.Event()
    some = Hands("test", 1, told.set)
    some.do(lambda: None)
    assert told.wait(5)
    some.close()


def test_what_was_given_up_before_it_began_is_never_begun(hang: threading.Event) -> None:
    some, begun = Hands("test", 1), list[int]()
    some.do(lambda: hang.wait(10))
    late = some.do(lambda: begun.append(1))
    some.give_up(late)
    hang.set()
    wait_until(lambda: some.free == 1, 5, "it is free")
    assert some.do(lambda: len(begun)).result(5) == 0
    some.close()
