"""`manage.py demo`: what a newcomer finds: an administrator, a tiny guest, and headless machines of every kind."""

import os
import secrets
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from vms.actions import create, hosts, nics, storage
from vms.domain.changes import Changes
from vms.domain.console import Console, Offer
from vms.domain.parts import Boot
from vms.hypervisors.guest import GuestUnavailable, build
from vms.models import VM, Cluster, InstanceType, Pool, Template, User, VnicProfile

KERNEL, INITRD = "demo-vmlinuz", "demo-initrd"
ADMIN = "admin"
# tty0 first: the last one named is /dev/console, where the kernel's own messages and the first shell go.
BOOT = Boot(kernel=KERNEL, initrd=INITRD, parameters="console=tty0 console=ttyS0")


def headless(console: Console, _offer: Offer) -> Console:
    return console.as_headless()


def place_guest() -> None:
    """Have the demonstration guest in the boot library; raises GuestUnavailable or OSError where that is impossible."""
    files = build(settings.BOOT_DIR / "demo")
    for source, name in ((files.kernel, KERNEL), (files.initrd, INITRD)):
        target = settings.BOOT_DIR / name
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            target.unlink(missing_ok=True)
            target.hardlink_to(source)


class Command(BaseCommand):
    help = "Makes the administrator, the local host and the demonstration machines, each unless it is there already."

    def handle(self, *args: Any, **options: Any) -> None:
        self._administrator()
        self._guest()
        with transaction.atomic():
            hosts.ensure_one()
            storage.ensure_one()
            if not VM.objects.exists() and not Template.objects.filter(name="tiny-linux").exists():
                self._machines()

    def _administrator(self) -> None:
        password = os.environ.get("ADMIN_PASSWORD", "")
        admin = User.objects.filter(username=ADMIN).first()
        if admin is None:
            made = password or secrets.token_urlsafe(12)
            User.objects.create_superuser(ADMIN, password=made)
            shown = "the one in ADMIN_PASSWORD" if password else f"{made}   (shown this once)"
            self.stdout.write(f"Log-in: {ADMIN}, password: {shown}")
        elif password and not admin.check_password(password):
            admin.set_password(password)
            admin.save(update_fields=["password"])
            self.stdout.write(f"Log-in: {ADMIN}, password: changed to the one in ADMIN_PASSWORD")

    def _guest(self) -> None:
        try:
            place_guest()
        except (GuestUnavailable, OSError) as error:
            self.stderr.write(f"The demonstration guest could not be built, so its machines will not start: {error}")

    def _machines(self) -> None:
        by, cluster = User.objects.get(username=ADMIN), Cluster.objects.get(name="Default")
        template = create.template(
            "tiny-linux",
            cluster=cluster,
            changes=Changes(
                attributes={"description": "A kernel and a shell: serial line, DHCP, power-off by ACPI"},
                machine={"memory": 192, "boot": BOOT},
                console=lambda console, _offer: _with_serial(console),
            ),
            by=by,
        )
        profile = VnicProfile.objects.filter(network__clusters=cluster).order_by("name").first()
        nics.add(template, nics.Card(name="nic1", profile=profile), by=by)
        create.instance_type("Headless", changes=Changes(machine={"memory": 192}, console=_headless_with_serial), by=by)
        create.vm(
            "demo-headless",
            cluster=cluster,
            template=template,
            changes=Changes(attributes={"description": "No screen: its shell is on the serial line"}, console=headless),
            by=by,
        )
        create.vm(
            "demo-graphical",
            cluster=cluster,
            template=template,
            changes=Changes(attributes={"description": "The same guest with a VNC screen"}),
            by=by,
        )
        create.pool("demo-pool", cluster=cluster, template=template, size=2, changes=Changes(console=headless), by=by)
        self.stdout.write(
            f"Demonstration data: {VM.objects.count()} machines, {Pool.objects.count()} pool, "
            f"{InstanceType.objects.count()} instance types"
        )


def _with_serial(console: Console) -> Console:
    return replace(console, serial=True)


def _headless_with_serial(console: Console, _offer: Offer) -> Console:
    return _with_serial(console).as_headless()
