"""Take over what a libvirt host has already, without touching it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from vms import messages
from vms.actions import adoption, domains, hosts, reports
from vms.actions._authorise import ENGINE
from vms.domain.errors import Refusal
from vms.hypervisors.base import Hypervisor
from vms.libvirtxml.adopt import adopt
from vms.models import Cluster, Domain, Host
from vms.runtime import hypervisor_for


class Command(BaseCommand):
    """Adds the host where it is not known yet, and manages every domain that it has from then on."""

    help = "Manage the domains that a libvirt host has already; nothing is changed on the host."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("uri", help="libvirt's address of the host, as in qemu+ssh://root@host/system")
        parser.add_argument("--name", default="", help="what a new host is called here; its address otherwise")
        parser.add_argument("--cluster", default="Default", help="the cluster that a new host belongs to")
        parser.add_argument("--dry-run", action="store_true", help="only tell what would be taken over")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._import(options)
        except Refusal as no:
            raise CommandError(messages.refusal(no)) from no

    def _import(self, options: dict[str, Any]) -> None:
        host = Host.objects.filter(uri=options["uri"]).first()
        if host is None:
            host = self._host(options)
        driver = hypervisor_for(host)
        driver.open(lambda _event: None)
        try:
            reports.host_seen(host, driver.capabilities())
            self._look(host, driver)
            found = list(adoption.foreign(host))
            for domain in found:
                self._tell(domain)
                if not options["dry_run"]:
                    vm = adoption.take_over(domain, by=ENGINE)
                    if (observation := driver.observe(vm.pk)) is not None:
                        reports.machine_seen(host, observation)
        finally:
            driver.close()
        told = "would be managed" if options["dry_run"] else "are managed from now on"
        self.stdout.write(f"{len(found)} domains of host {host.name} {told}.")

    def _host(self, options: dict[str, Any]) -> Host:
        cluster = Cluster.objects.filter(name=options["cluster"]).first()
        if cluster is None:
            raise CommandError(f"There is no cluster {options['cluster']}.")
        name = options["name"] or options["uri"].partition("://")[2].rpartition("/")[0].rpartition("@")[2] or "local"
        return hosts.create(name, cluster=cluster, uri=options["uri"], by=ENGINE)

    def _look(self, host: Host, driver: Hypervisor) -> None:
        for machine in driver.definitions():
            if (observation := driver.observe(machine)) is not None:
                domains.seen(host, observation)

    def _tell(self, domain: Domain) -> None:
        found = adopt(domain.definition)
        odd = f" ({', '.join(found.odd)})" if found.odd else ""
        self.stdout.write(f"{domain.name}: {domain.status}, {found.console.graphics_label}{odd}")
