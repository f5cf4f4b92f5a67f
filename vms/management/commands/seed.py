"""`manage.py seed --vms N`: many machines, to try lists and searches with and to measure them."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from vms.actions import seeding

MOST = 1_000_000


class Command(BaseCommand):
    help = "Makes machines in bulk, the same for the same seed; those that are there already stay."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--vms", type=int, required=True, help="how many there are to be")
        parser.add_argument("--seed", type=int, default=1, help="another one makes others")
        parser.add_argument(
            "--running",
            action="store_true",
            help="have two of three run, on hosts that do not exist: for measuring without an engine",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 <= options["vms"] <= MOST:
            raise CommandError(f"--vms: expected a number from 0 to {MOST}")
        began = time.monotonic()
        made = seeding.machines(options["vms"], running=options["running"], seed=options["seed"])
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")  # the planner is to know what has come
        self.stdout.write(f"{made} machines in {time.monotonic() - began:.1f} s")
