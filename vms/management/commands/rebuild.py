"""`manage.py rebuild`: makes anew what is only read: device rows, and what lists and searches go by."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from vms.actions._devices import sync_devices
from vms.actions._status import project
from vms.models import VM, InstanceType, Pool, Template


class Command(BaseCommand):
    help = "Makes read models anew from the machines: the rows of devices, and what lists and searches go by."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        count = 0
        for model in (VM, Template, Pool, InstanceType):
            for row in model._default_manager.all().iterator():
                sync_devices(row)
                if isinstance(row, VM):
                    project(row)
                count += 1
        self.stdout.write(f"{count} machines")
