"""Many hosts get along with few connections to a database server: no thread keeps one while it waits."""

from types import SimpleNamespace

import pytest

from vms.engine import borrowing


@pytest.mark.parametrize(
    ("options", "in_atomic_block", "closed"),
    [({}, False, 0), ({"pool": {"max_size": 2}}, False, 1), ({"pool": {"max_size": 2}}, True, 0)],
)
def test_a_connection_is_given_back_where_there_is_a_pool_and_nothing_is_half_done(
    options: dict[str, object], in_atomic_block: bool, closed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[None] = []
    there = SimpleNamespace(
        settings_dict={"OPTIONS": options}, in_atomic_block=in_atomic_block, close=lambda: calls.append(None)
    )
    monkeypatch.setattr(borrowing, "connection", there)
    borrowing.give_back()
    assert len(calls) == closed
