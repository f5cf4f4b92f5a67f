"""`manage.py bench [NAME…]`: measures against references of the same run; the database is the one of the settings."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from vms.management import measuring, metal, paging, searching, whole
from vms.models import VM

ENTRIES = {
    "P1": whole.lists,
    "P2": paging.measured,
    "P3": searching.measured,
    "P5": metal.measured,
    "P7": measuring.consoles,
}
# These need machines in the database of the settings.
ON_MACHINES = {"P1", "P2", "P3"}


class Command(BaseCommand):
    help = (
        "Measures P1 (REST's whole lists), P2 (lists), P3 (searches) on the machines that `seed --vms N --running` "
        "makes, P5 and P6 (starts and looks, over a libvirt of their own; both by the name P5), and P7 (consoles)."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("names", nargs="*", help=f"what to measure: {', '.join(ENTRIES)}; all by default")
        parser.add_argument("--json", help="write the figures there, too")
        parser.add_argument("--assert", action="store_true", dest="strict", help="fail where a ratio is missed")

    def handle(self, *args: Any, **options: Any) -> None:
        names = options["names"] or list(ENTRIES)
        if unknown := set(names) - ENTRIES.keys():
            raise CommandError(f"{', '.join(sorted(unknown))}: expected {', '.join(ENTRIES)}")
        on_machines = bool(ON_MACHINES & set(names))
        if on_machines and not VM.objects.exists():
            raise CommandError("There is nothing to measure: make machines with `manage.py seed --vms N --running`.")
        settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
        results = [result for name in names for result in ENTRIES[name]()]
        if on_machines:
            self.stdout.write(f"{VM.objects.count()} machines")
        for result in results:
            mark = "" if result.kept else f"   MISSED (at most {result.most})"
            told = f"{result.value:8.2f} ms  against {result.reference:8.2f} ms  ratio {result.ratio:5.2f}"
            self.stdout.write(f"{result.name:90} {told}{mark}")
        if options["json"]:
            with open(options["json"], "w") as out:  # noqa: PTH123
                json.dump([{**vars(result), "ratio": result.ratio} for result in results], out, indent=1)
        if options["strict"] and not all(result.kept for result in results):
            raise CommandError("A ratio was missed.")
