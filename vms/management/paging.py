"""P2: a page of a list in five orders, at the beginning and in the middle, among all machines and among a thousand."""

from typing import Any, Final

from django.db import connections
from django.test import Client

from vms.domain.search import parse
from vms.models import VM
from vms.search.find import ordered
from vms.search.languages import VMS
from vms.search.paging import Sorting

from .measuring import Result, administrator, alternately, in_both

ORDERS: Final = ("name", "status desc", "memory desc", "cluster", "graphics")


class Pages:
    """A list in one order, as a browser's script asks for it; in whichever database is at hand."""

    def __init__(self, order: str) -> None:
        self._path = f"/vms/?q=sortby+{order.replace(' ', '+')}"
        self._search = parse(f"sortby {order}")
        self._known: dict[Any, tuple[Client, str]] = {}

    def first(self) -> None:
        _get(self._at_hand()[0], self._path)

    def middle(self) -> None:
        client, deep = self._at_hand()
        _get(client, f"{self._path}&after={deep}")

    def _at_hand(self) -> tuple[Client, str]:
        """Somebody who has logged in, and the place of the row in the middle."""
        database = connections["default"]
        if database not in self._known:
            client = Client()
            client.force_login(administrator())
            columns = VMS.columns(self._search) or VMS.orders["name"]
            sorting = Sorting(VM, columns, bool(self._search.order and self._search.order.descending))
            middle = ordered(VM.objects.all(), VMS, self._search)[VM.objects.count() // 2]
            self._known[database] = client, sorting.place(middle)
        return self._known[database]


def measured() -> list[Result]:
    """Wherever one looks, and among however many machines, a page takes the same time."""
    results = []
    for order in ORDERS:
        pages = Pages(order)
        for where, page in (("at the beginning", pages.first), ("in the middle", pages.middle)):
            few, many = in_both(page)
            results.append(Result(f"P2 {order}, {where}: among all machines, against a thousand", many, few, 1.25))
        first, middle = alternately(pages.first, pages.middle)
        results.append(Result(f"P2 {order}: in the middle, against the beginning", middle, first, 1.25))
    return results


def _get(client: Client, path: str) -> None:
    answer = client.get(path, headers={"HX-Request": "true"})
    assert answer.status_code == 200, answer.status_code
