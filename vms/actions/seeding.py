"""Many machines at once, to try and to measure with: the same rows as one by one, written in bulk."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import prefetch_related_objects
from django.utils import timezone

from vms.domain.access import Seen
from vms.domain.console import HEADLESS, SPICE, VNC, Console, Graphics, Video
from vms.domain.lifecycle import Status
from vms.domain.machine import MachineSpec, VmType
from vms.domain.osinfo import OPERATING_SYSTEMS
from vms.domain.parts import Topology
from vms.domain.runonce import Run
from vms.models import VM, Cluster, Device, Host, SearchText, Tag, Template
from vms.models.machines import BLANK

from ._devices import configured
from ._status import show
from ._texts import texts

BATCH: Final = 1000
ROLES: Final = ("web", "db", "app", "mail", "build", "cache", "proxy", "queue")
SITES: Final = ("berlin", "madrid", "lyon", "oslo", "porto")
_SOME, _RUNNING = 0.1, 0.66  # of all machines
_CONSOLES: Final[dict[Graphics, Video | None]] = {HEADLESS: None, VNC: Video.VGA, SPICE: Video.QXL}


@dataclass(frozen=True)
class Surroundings:
    """What the machines are put among."""

    clusters: Sequence[Cluster]
    hosts: Sequence[Host]
    tags: Sequence[Tag]
    template: Template


def machines(count: int, *, running: bool = False, seed: int = 1) -> int:
    """Make so many machines, the same for the same seed; returns how many there were not yet.

    `running` has two of three run, on hosts that do not exist: only for measuring without an engine.
    """
    taken = set(VM.objects.values_list("name", flat=True))
    around = _surroundings(running)
    made = 0
    wanted = (number for number in range(count) if _name(number) not in taken)
    while batch := list(islice(wanted, BATCH)):
        _save([_row(number, around, random.Random(f"{seed} {number}")) for number in batch], around)  # noqa: S311
        made += len(batch)
    return made


def _surroundings(running: bool) -> Surroundings:
    clusters = list(Cluster.objects.select_related("data_center").order_by("name"))
    for number in range(len(clusters), len(SITES)):
        place = clusters[0].data_center
        clusters.append(Cluster.objects.get_or_create(name=f"site-{SITES[number]}", data_center=place)[0])
    made = [
        Host.objects.get_or_create(name=f"host-{number:02}", defaults={"cluster": clusters[number % len(clusters)]})
        for number in range(20 if running else 0)
    ]
    tags = [Tag.objects.get_or_create(name=name)[0] for name in ("production", "staging", "retired")]
    return Surroundings(clusters, [host for host, _new in made], tags, Template.objects.get(pk=BLANK))


def _name(number: int) -> str:
    return f"{ROLES[number % len(ROLES)]}-{number:06}"


def _row(number: int, around: Surroundings, chance: random.Random) -> VM:
    site = chance.randrange(len(SITES))
    key = UUID(int=chance.getrandbits(128), version=4)
    row = VM(id=key, cluster=around.clusters[site % len(around.clusters)], template=around.template)
    row.spec = MachineSpec(
        id=key,
        name=_name(number),
        memory=chance.choice((512, 1024, 2048, 4096, 8192, 16384)),
        cpu=Topology(sockets=chance.choice((1, 2, 4, 8))),
        os=chance.choice(list(OPERATING_SYSTEMS)),
        vm_type=chance.choice(list(VmType)),
        console=_console(chance),
    )
    row.description = f"Number {number} in {SITES[site]}"
    row.comment = "keep" if chance.random() < _SOME else ""
    if around.hosts and chance.random() < _RUNNING:
        _run(row, number, around, chance)
    show(row)
    return row


def _console(chance: random.Random) -> Console:
    graphics, video = chance.choice(list(_CONSOLES.items()))
    return Console(graphics=graphics, video=video, serial=chance.random() < 0.7)


def _run(row: VM, number: int, around: Surroundings, chance: random.Random) -> None:
    row.observed = Status.UP if chance.random() < 0.98 else Status.PAUSED
    row.run = Run(base=row.spec)
    row.host = chance.choice(around.hosts)
    row.started_at = timezone.now() - timedelta(minutes=chance.randrange(100_000))
    if chance.random() < 0.5:
        row.agent, row.fqdn = Seen.NOW.value, f"{row.name}.example.org"
        row.ip = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


@transaction.atomic
def _save(batch: list[VM], around: Surroundings) -> None:
    VM.objects.bulk_create(batch)
    prefetch_related_objects(batch, "cards")  # there are none; else each would be asked
    told = [SearchText(vm=vm, field=field, text=text) for vm in batch for field, text in sorted(texts(vm))]
    SearchText.objects.bulk_create(told, batch_size=BATCH)
    Device.objects.bulk_create([device for vm in batch for device in configured(vm)], batch_size=BATCH)
    through: Any = VM.tags.through
    tagged = [through(vm=vm, tag=around.tags[vm.memory % len(around.tags)]) for vm in batch if vm.comment]
    through.objects.bulk_create(tagged)
