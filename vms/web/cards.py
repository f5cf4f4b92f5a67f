"""What UserPortal's first page shows: a card for each machine, and one for each pool to take one from."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, Self
from uuid import UUID

from django.http import HttpRequest
from django.utils.functional import cached_property

from vms import messages
from vms.actions import rights
from vms.actions.rights import Rights
from vms.domain.lifecycle import Verb
from vms.messages import Text
from vms.models import VM, Permission, Pool, User

from . import panels, reasons
from .kinds import POOLS, VMS, user_of
from .panels import Button, Display

# Cards on a page; names are unique, so each page begins after the last name of the one before.
PAGE: Final = 48


@dataclass(frozen=True)
class MachineCard:
    vm: VM
    status: Text
    icon: str
    tone: str
    graphics: Display
    video: Display
    pending: list[str]
    failure: str
    buttons: list[Button]
    no_run_once: str
    no_console: str
    taken: bool


@dataclass(frozen=True)
class PoolCard:
    pool: Pool
    free: int
    mine: int
    graphics: Display
    no_take: str


@dataclass(frozen=True)
class Cards:
    """The machines and pools whose names hold `name`; `after` is the last name of the page before."""

    user: User
    name: str
    after: str
    found: list[VM]
    pools: list[Pool]

    @classmethod
    def of(cls, request: HttpRequest) -> Self:
        name, after = (request.GET.get(key, "").replace("\0", "") for key in ("name", "after"))
        machines = VMS.rows(request).filter(name__icontains=name, name__gt=after).order_by("name")
        pools = POOLS.rows(request).filter(name__icontains=name).counted().order_by("name")
        return cls(user_of(request), name, after, list(machines[: PAGE + 1]), [] if after else list(pools[:PAGE]))

    @property
    def next(self) -> str:
        """The name after which the next page begins; empty on the last one."""
        return self.found[PAGE - 1].name if len(self.found) > PAGE else ""

    @property
    def busy(self) -> bool:
        return any(vm.busy for vm in self._shown)

    @cached_property
    def machines(self) -> list[MachineCard]:
        may, taken = rights.on_each(self.user, self._shown), rights.taken_by(self.user, self._shown)
        return [self._machine(vm, may[vm.pk], taken=vm.pk in taken) for vm in self._shown]

    @cached_property
    def to_take_from(self) -> list[PoolCard]:
        may, mine = rights.on_each(self.user, self.pools), self._mine()
        return [_pool(pool, may[pool.pk], mine[pool.pk]) for pool in self.pools]

    @cached_property
    def no_new(self) -> str:
        """Why no machine can be made; empty when one can."""
        return reasons.why_no_form(VM(), self.user, is_new=True)

    @property
    def _shown(self) -> list[VM]:
        return self.found[:PAGE]

    def _mine(self) -> Counter[UUID]:
        held = Permission.objects.filter(user=self.user, vm__pool__in=self.pools) if self.pools else ()
        return Counter(pool for pool, _vm in set(held.values_list("vm__pool", "vm"))) if held else Counter()

    def _machine(self, vm: VM, may: Rights, *, taken: bool) -> MachineCard:
        running, (icon, tone) = vm.running_console, panels.status_icon(vm.status)
        return MachineCard(
            vm=vm,
            status=messages.STATUSES[vm.status],
            icon=icon,
            tone=tone,
            graphics=panels.graphics_display(vm, running),
            video=panels.video_display(vm, running),
            pending=[str(change.label) for change in panels.pending(vm)],
            failure=panels.failure(vm),
            buttons=[button for button in panels.power_buttons(vm, may) if button.verb in _ON_CARDS],
            no_run_once=reasons.why_not(vm, Verb.RUN_ONCE, may),
            no_console=reasons.why_no_console(vm, may),
            taken=taken,
        )


_ON_CARDS: Final = {Verb.START.value, Verb.RESUME.value, Verb.SHUTDOWN.value}


def _pool(pool: Any, may: Rights, mine: int) -> PoolCard:
    shown = panels.graphics_display(pool, pool.console)
    return PoolCard(pool, pool.free_count, mine, shown, reasons.why_not_taken(pool, may, mine))
