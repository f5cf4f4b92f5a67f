"""How `manage.py bench` measures: each entry compares what is measured with a reference of the same run, in turn."""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from atexit import register
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from django.core.management import call_command
from django.db import connection, connections

from vms.models import User

ROUNDS: Final = 15
FEW: Final = 1000


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


def consoles() -> list[Result]:
    """P7: a serial console's echo, and a MiB, against a bare relay's over the same two hops; fifty are open."""
    figures = json.loads(subprocess.check_output([sys.executable, "-m", "tests.bench.consoles"], text=True))
    return [Result(f"P7 {name}", figures[key][0], figures[key][1], most) for key, name, most in CONSOLES]


CONSOLES: Final = (("echo", "one echo", 1.3), ("mib", "one MiB", 1 / 0.7))


def administrator() -> User:
    user, _made = User.objects.get_or_create(username="bench", defaults={"is_superuser": True, "is_staff": False})
    return user


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


def in_both(act: Callable[[], object]) -> tuple[float, float]:
    """The medians among a thousand machines, and among all that the database of the settings has."""
    many, few = connections["default"], among_few()

    def elsewhere() -> None:
        connections["default"] = few
        try:
            act()
        finally:
            connections["default"] = many

    return alternately(elsewhere, act)


@cache
def among_few() -> Any:
    """A connection to a database of its own with a thousand machines, made for this run alone."""
    many: Any = connections["default"]
    made: Any = many.copy()
    made.settings_dict["OPTIONS"].pop("pool", None)
    made.settings_dict["NAME"] = _file() if many.vendor == "sqlite" else _database(many)
    connections["default"] = made
    try:
        call_command("migrate", verbosity=0, interactive=False)
        call_command("seed", vms=FEW, running=True, verbosity=0)
    finally:
        connections["default"] = many
    return made


def _file() -> str:
    directory = tempfile.mkdtemp(prefix="bench-")
    register(shutil.rmtree, directory, ignore_errors=True)
    return str(Path(directory) / "few.sqlite3")


def _database(many: Any) -> str:
    name = f"{many.settings_dict['NAME']}_few"
    with many._nodb_cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        cursor.execute(f'CREATE DATABASE "{name}"')
    return name
