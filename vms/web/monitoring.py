"""How busy a machine has been, as small charts that are drawn here: no script, no style of their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from vms.messages import Text
from vms.models import VM, Statistic

SHOWN: Final = timedelta(hours=1)
WIDTH, HEIGHT = 240, 48


@dataclass(frozen=True)
class Chart:
    """One figure over the last hour: the points of its line, what it is now and was at most."""

    title: Text
    now: str
    most: str
    points: str

    @property
    def label(self) -> str:
        return _("%(title)s in the last hour: now %(now)s, at most %(most)s") % vars(self)


def charts(vm: VM) -> list[Chart]:
    """What was measured in the last hour; nothing where that is nothing."""
    found = list(Statistic.objects.filter(vm=vm, at__gt=timezone.now() - SHOWN).order_by("at"))
    return [_chart(found, title, field, tell, whole) for title, field, tell, whole in _FIGURES] if found else []


def _percent(value: float) -> str:
    return f"{value:.0f} %"


def _rate(value: float) -> str:
    return _("%(size)s/s") % {"size": filesizeformat(value)}


_FIGURES: Final[tuple[tuple[Text, str, Callable[[float], str], float | None], ...]] = (
    (gettext_lazy("CPU"), "cpu", _percent, 100.0),
    (gettext_lazy("Memory"), "memory", _percent, 100.0),
    (gettext_lazy("Network"), "network", _rate, None),
    (gettext_lazy("Disk"), "disk", _rate, None),
)


def _chart(found: Sequence[Any], title: Text, field: str, tell: Callable[[float], str], whole: float | None) -> Chart:
    told = [(one.at, getattr(one, field)) for one in found if getattr(one, field) is not None]
    if not told:
        return Chart(title, _("not told"), _("not told"), "")
    most = max(value for _at, value in told)
    top, begin = whole or most or 1.0, timezone.now() - SHOWN
    points = " ".join(
        f"{WIDTH * ((at - begin) / SHOWN):.1f},{HEIGHT - (HEIGHT - 2) * value / top - 1:.1f}" for at, value in told
    )
    return Chart(title, tell(told[-1][1]), tell(most), points)
