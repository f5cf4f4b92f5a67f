"""`manage.py ssh`: the SSH door to serial consoles, until it is told to stop."""

import asyncio
import os
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from vms.consoles.ssh import listen


class Command(BaseCommand):
    help = "Serves serial consoles over SSH on SSH_PORT until it is told to stop (SIGTERM, Ctrl-C)."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            raise CommandError(f"SSH_PORT={settings.SSH_PORT} cannot be served on: {error.strerror}") from error

    async def _serve(self) -> None:
        key = settings.DATA_DIR / "secrets" / "ssh_host_key"
        acceptor = await listen(os.environ.get("HOST", "127.0.0.1"), settings.SSH_PORT, key)
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        await stopped.wait()
        acceptor.close()
