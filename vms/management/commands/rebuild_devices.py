"""`manage.py rebuild_devices`: makes the device rows anew from the machines."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from vms.actions._devices import sync_devices
from vms.models import VM, InstanceType, Pool, Template


class Command(BaseCommand):
    help = "Makes the rows of all devices anew; they are a read model and hold nothing of their own."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        count = 0
        for model in (VM, Template, Pool, InstanceType):
            for row in model._default_manager.all().iterator():
                sync_devices(row)
                count += 1
        self.stdout.write(f"{count} machines")
