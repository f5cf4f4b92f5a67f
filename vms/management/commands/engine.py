"""`manage.py engine`: the process that talks to hypervisors."""

import logging
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from vms import runtime
from vms.actions import hosts, storage
from vms.engine.service import AnotherEngine, Engine


class Command(BaseCommand):
    help = "Watches the hosts and carries out jobs until it is told to stop (SIGTERM, Ctrl-C); machines run on."

    def handle(self, *args: Any, **options: Any) -> None:
        logging.getLogger("vms").setLevel(logging.INFO)
        engine = Engine(settings.RUN_DIR, runtime.hypervisor_for, settings.SERIAL_DIR, settings.SERIAL_RETENTION)
        for number in (signal.SIGTERM, signal.SIGINT):
            # A thread of its own: the handler may have interrupted the holder of a lock that stopping needs.
            signal.signal(number, lambda *_: threading.Thread(target=engine.stop).start())
        hosts.ensure_one()
        storage.ensure_one()
        try:
            engine.run()
        except AnotherEngine as error:
            raise CommandError(str(error)) from error
