"""P5 and P6: what we add to libvirt's own start of a machine, and to a bare look at a thousand of them.

A daemon, a database and an engine of their own, gone afterwards. The machines that start have no guest to boot.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

MACHINES, STARTS, LOOKS = 1000, 9, 15


def main() -> None:
    """Milliseconds as JSON, ours and libvirt's own, and how often the database was written to."""
    with tempfile.TemporaryDirectory(prefix="hw-bench-") as home:
        os.environ |= {"DATA_DIR": home, "ACCELERATOR": "tcg", "DJANGO_SETTINGS_MODULE": "webadmin.settings"}
        os.environ.pop("DATABASE_URL", None)
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        with _daemon(Path(home)) as uri:
            json.dump({"start": _starts(Path(home), uri), **_looks(uri)}, sys.stdout)


@contextlib.contextmanager
def _daemon(home: Path) -> Iterator[str]:
    from tests.hypervisors import obedient
    from vms.hypervisors.private import PrivateDaemon

    (home / "boot").mkdir(exist_ok=True)
    obedient.write_to(home / "boot")
    daemon = PrivateDaemon(home / "libvirt")
    try:
        yield daemon.start()
    finally:
        daemon.stop(guests=True)


def _driver(uri: str) -> Any:
    from django.conf import settings

    from vms.hypervisors.bootfiles import LocalFiles
    from vms.hypervisors.libvirt import LibvirtHypervisor, Location

    return LibvirtHypervisor(lambda: Location(uri=uri, files=LocalFiles(settings.BOOT_DIR)), "bench")


def _starts(home: Path, uri: str) -> tuple[float, float]:
    """From the request to the machine that is up: ours through job and engine, against `virsh start` of the same
    definition; in turn."""
    import libvirt

    from tests.factories import headless, machine, person
    from tests.hypervisors import obedient
    from vms.actions import power
    from vms.domain.parts import Boot
    from vms.engine.service import Engine
    from vms.models import VM, Cluster, Host, HostStatus

    Host.objects.create(name="bench", cluster=Cluster.objects.get(name="Default"), uri=uri)
    admin = person("admin", role="SuperUser")
    vm = machine("start", by=admin, console=headless, memory=64, boot=Boot(kernel=obedient.NAME))
    engine = Engine(home / "run", lambda _host: _driver(uri))
    thread = threading.Thread(target=engine.run)
    thread.start()
    try:
        _until(lambda: Host.objects.get().status == HostStatus.UP)
        domain = None
        virsh = ["virsh", "--quiet", "--connect", uri, "start", vm.name]
        ours, bare = [], []
        for number in range(STARTS + 1):
            began = time.perf_counter()
            power.start(VM.objects.get(pk=vm.pk), by=admin)
            _until(lambda: VM.objects.values_list("status", "busy").get(pk=vm.pk) == ("up", False))
            ours.append(time.perf_counter() - began)
            domain = domain or libvirt.open(uri).lookupByUUID(vm.pk.bytes)
            _end(domain, vm.pk)
            began = time.perf_counter()
            _while_somebody_looks(lambda: subprocess.run(virsh, check=True, capture_output=True), vm.pk)
            bare.append(time.perf_counter() - began)
            _end(domain, vm.pk)
            if not number:  # the first of each warms up
                ours.clear()
                bare.clear()
    finally:
        engine.stop()
        thread.join()
    return statistics.median(ours) * 1000, statistics.median(bare) * 1000


def _while_somebody_looks(act: Callable[[], object], key: Any) -> None:
    """Do it while somebody asks the database as often as for ours, which takes its part of a small machine."""
    from vms.models import VM

    acting = threading.Thread(target=act)
    acting.start()
    _until(lambda: VM.objects.filter(pk=key).exists() and not acting.is_alive())


def _end(domain: Any, key: Any) -> None:
    from vms.models import VM

    domain.destroy()
    _until(lambda: VM.objects.values_list("status", "busy").get(pk=key) == ("down", False))


def _looks(uri: str) -> dict[str, Any]:
    """One quick look of the watcher at a thousand machines, against libvirt's own list of their states; and whether
    anything is written where nothing has changed, by quick looks and by one in full."""
    import libvirt
    from django.db import connection

    from tests.factories import headless, machine
    from vms.engine.watcher import Busy, Watcher
    from vms.models import VM, Host, User

    host, admin = Host.objects.get(), User.objects.get(username="admin")
    made = machine("look", by=admin, console=headless, memory=64)
    rows = [VM(**{**_columns(made), "id": _key(number), "name": f"m{number:04}"}) for number in range(MACHINES)]
    VM.objects.bulk_create(rows)
    VM.objects.filter(name__startswith="m").update(host=host)
    bare = libvirt.open(uri)
    for row in rows:
        bare.defineXML(
            f"<domain type='qemu'><name>{row.name}</name><uuid>{row.pk}</uuid><memory unit='MiB'>64</memory>"
            "<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
        )
    driver = _driver(uri)
    watcher = Watcher(host, driver, Busy(), lambda: None)
    driver.open(lambda _event: None)
    watcher._look_at_all(fully=True)  # it gets to know them
    written = _Writes()
    looks = {
        "ours": lambda: watcher._look_at_all(fully=False),
        "bare": lambda: bare.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, 0),
    }
    with connection.execute_wrapper(written):
        taken = {name: _median(look) for name, look in looks.items()}
        watcher._look_at_all(fully=True)
    driver.close()
    return {"look": (taken["ours"], taken["bare"]), "writes": written.count}


def _columns(row: Any) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if not field.generated}


def _key(number: int) -> Any:
    from uuid import UUID

    return UUID(int=0xBE9C << 112 | 4 << 76 | 8 << 60 | number)


def _median(look: Callable[[], object]) -> float:
    look()
    taken = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        look()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


class _Writes:
    """Counts what is written."""

    count = 0

    def __call__(self, execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        self.count += sql.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE"))
        return execute(sql, params, many, context)


def _until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it does not come about")
        time.sleep(0.002)


if __name__ == "__main__":
    main()
