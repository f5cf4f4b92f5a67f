"""What `manage.py bench` measures: each entry compares what is measured with a reference of the same run."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from django.db import connection
from django.test import Client

from vms.domain.search import parse
from vms.models import VM, User
from vms.search.find import find, ordered
from vms.search.languages import VMS
from vms.search.paging import Sorting

ROUNDS: Final = 7


@dataclass(frozen=True)
class Result:
    """One figure: milliseconds, those of the reference, and the most that their ratio may be."""

    name: str
    value: float
    reference: float
    most: float

    @property
    def ratio(self) -> float:
        return self.value / self.reference if self.reference else 0.0

    @property
    def kept(self) -> bool:
        return self.ratio <= self.most


def lists() -> list[Result]:
    """P2: a list's page among all machines against one among a few; in the middle against at the beginning."""
    client = Client()
    client.force_login(administrator())
    results = []
    for order in ("name", "status desc", "memory desc", "cluster", "graphics"):
        sortby = f"sortby+{order.replace(' ', '+')}"
        large, few = f"/vms/?q={sortby}", f"/vms/?q=name+%3D+web-00*+{sortby}"
        deep = _deep(large)
        among, all_of_them = alternately(partial(_get, client, few), partial(_get, client, large))
        first, middle = alternately(partial(_get, client, large), partial(_get, client, deep))
        results.append(Result(f"P2 {order}: among all machines, against some", all_of_them, among, 1.5))
        results.append(Result(f"P2 {order}: in the middle, against the beginning", middle, first, 1.5))
    return results


def consoles() -> list[Result]:
    """P7: a serial console's echo, and a MiB, against a bare relay's over the same two hops; fifty are open."""
    figures = json.loads(subprocess.check_output([sys.executable, "-m", "tests.bench.consoles"], text=True))
    return [Result(f"P7 {name}", figures[key][0], figures[key][1], most) for key, name, most in CONSOLES]


CONSOLES: Final = (("echo", "one echo", 1.3), ("mib", "one MiB", 1 / 0.7))


def _deep(path: str) -> str:
    """A page in the middle, reached by the place of a row there."""
    search = parse(path.partition("q=")[2].replace("+", " "))
    columns = VMS.columns(search) or VMS.orders["name"]
    sorting = Sorting(VM, columns, bool(search.order and search.order.descending))
    middle = ordered(VM.objects.all(), VMS, search)[VM.objects.count() // 2]
    return f"{path}&after={sorting.place(middle)}"


# Searches as people type them; beside each the SQL that somebody would write by hand.
_NAMED: Final = "ORDER BY folded, name LIMIT 101"
SEARCHES: Final[Mapping[str, str]] = {
    "name = web-000800": "WHERE folded = 'WEB-000800'",
    "name = web-0008*": f"WHERE folded >= 'WEB-0008' AND folded < 'WEB-0009' {_NAMED}",
    "status = paused": f"WHERE status = 'paused' {_NAMED}",
    "status = up": f"WHERE status = 'up' {_NAMED}",
    "cluster = site-oslo": f"WHERE cluster_name = 'site-oslo' {_NAMED}",
    "headless = true": f"WHERE display_type = 'none' {_NAMED}",
    "host = host-07": f"WHERE host_name = 'host-07' {_NAMED}",
    "access = none": f"WHERE access = 'locked_out' {_NAMED}",
    "memory > 8192 sortby memory desc": "WHERE memory > 8192 ORDER BY memory DESC, folded DESC, name DESC LIMIT 101",
    "sortby status desc": "ORDER BY status DESC, folded DESC, name DESC LIMIT 101",
    "pending = true": f"WHERE pending IN (true) {_NAMED}",
    "ip = 10.0.3.*": "WHERE id IN (SELECT vm_id FROM vms_searchtext WHERE field = 'ip' AND text LIKE '10.0.3.%%')",
}


def searches() -> list[Result]:
    """P3: searches through the language, against SQL written by hand."""
    by, results = administrator(), []
    for text, sql in SEARCHES.items():

        def asked(text: str = text) -> None:
            search = parse(text)
            rows = find(VM.objects.all(), VMS, search, by=by)
            rows = ordered(rows, VMS, search) if search.order else rows.order_by("folded", "name")
            list(rows[:101])

        def by_hand(sql: str = sql) -> None:
            list(VM.objects.raw(f"SELECT * FROM vms_vm {sql}"))  # noqa: S608  (ours)

        reference, value = alternately(by_hand, asked)
        results.append(Result(f"P3 {text}", value, reference, 3.0))
    return results


def administrator() -> User:
    user, _made = User.objects.get_or_create(username="bench", defaults={"is_superuser": True, "is_staff": False})
    return user


def _get(client: Client, path: str) -> None:
    answer = client.get(path, headers={"HX-Request": "true"})
    assert answer.status_code == 200, answer.status_code


def alternately(reference: Callable[[], object], measured: Callable[[], object]) -> tuple[float, float]:
    """The medians of both in milliseconds, taken in turn."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS + 1):
        for times, act in zip(taken, (reference, measured), strict=True):
            began = time.perf_counter()
            act()
            if number:  # the first round warms up
                times.append((time.perf_counter() - began) * 1000)
    connection.close_if_unusable_or_obsolete()
    return statistics.median(taken[0]), statistics.median(taken[1])


ENTRIES: Final[Mapping[str, Callable[[], list[Result]]]] = {"P2": lists, "P3": searches, "P7": consoles}
# These need machines in the database of the settings.
ON_MACHINES: Final = frozenset({"P2", "P3"})
