"""`manage.py savings`: measures what a machine without a screen saves here; the reports of fleets show it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from vms import messages
from vms.actions import hosts
from vms.domain.errors import Refusal
from vms.hypervisors.guest import GuestUnavailable
from vms.management.commands.demo import BOOT, place_guest
from vms.management.saving import NotMeasured, Use, median, side_by_side
from vms.models import Host, Saving
from vms.runtime import hypervisor_for


class Command(BaseCommand):
    help = (
        "Runs the demonstration guest headless and with VNC side by side, and measures what QEMU uses of memory (PSS) "
        "and, while both are idle, of the processor. The last measurement shows in the reports of fleets."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--rounds", type=int, default=3, help="how often; the median counts (3)")
        parser.add_argument("--seconds", type=int, default=20, help="for how long the idle guests are watched (20)")

    def handle(self, *args: Any, **options: Any) -> None:
        hosts.ensure_one()
        host = Host.objects.filter(uri="auto").first()
        if host is None:
            raise CommandError("There is no host on this computer; a remote one's QEMU cannot be looked at from here.")
        try:
            place_guest()
            pairs = self._measured(host, max(1, options["rounds"]), max(1, options["seconds"]))
        except (GuestUnavailable, NotMeasured, OSError) as error:
            raise CommandError(f"Nothing was measured: {error}") from error
        except Refusal as no:
            raise CommandError(f"Nothing was measured: {messages.refusal(no)}") from no
        headless, graphical = (median(list(uses)) for uses in zip(*pairs, strict=True))
        saving = Saving.objects.create(
            host=host.name,
            rounds=len(pairs),
            seconds=max(1, options["seconds"]),
            memory_headless=headless.memory,
            memory_graphical=graphical.memory,
            cpu_headless=headless.cpu,
            cpu_graphical=graphical.cpu,
        )
        self._tell("headless, median", headless)
        self._tell("with VNC, median", graphical)
        self.stdout.write(f"saved by each: {saving.memory:.1f} MiB, {saving.cpu:.2f} % of a processor")

    def _measured(self, host: Host, rounds: int, seconds: int) -> list[tuple[Use, Use]]:
        driver = hypervisor_for(host)
        driver.open(lambda _event: None)
        try:
            pairs = []
            for number in range(1, rounds + 1):
                pairs.append(side_by_side(driver, BOOT, seconds))
                for name, use in zip(("headless", "with VNC"), pairs[-1], strict=True):
                    self._tell(f"round {number}, {name}", use)
            return pairs
        finally:
            driver.close()

    def _tell(self, what: str, use: Use) -> None:
        self.stdout.write(f"{what:20} {use.memory:8.1f} MiB {use.cpu:7.2f} % of a processor")
