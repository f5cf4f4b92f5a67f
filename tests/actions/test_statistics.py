"""How busy machines are: figures between two measurements, a day of them, and their charts."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.actions.runs import down, up
from tests.web.conftest import web
from tests.web.test_vm_detail import text_of
from vms.actions import statistics
from vms.domain.statistics import Counters, Figures, between
from vms.models import VM, Host, Statistic, User

__all__ = ["web"]

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BEFORE = Counters(at=NOON, cpu=10.0, network=1000, disk=5000)
NOW = Counters(at=NOON + MINUTE, cpu=40.0, network=61_000, disk=5000, memory_used=512)


def test_figures_are_what_was_used_between_two_moments() -> None:
    assert between(BEFORE, NOW, cpus=2, memory=1024) == Figures(cpu=25.0, memory=50.0, network=1000.0, disk=0.0)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (NOW, BEFORE),
        (NOW, NOW),
        (Counters(at=NOON, cpu=50.0), Counters(at=NOON + MINUTE, cpu=1.0)),
        (Counters(at=NOON, network=9), Counters(at=NOON + MINUTE, cpu=1.0)),
    ],
)
def test_a_new_run_or_a_clock_that_was_set_back_gives_no_figures(before: Counters, now: Counters) -> None:
    assert between(before, now, cpus=1, memory=1024) is None


def test_nothing_is_over_all_of_it() -> None:
    told = between(Counters(at=NOON), Counters(at=NOON + MINUTE, cpu=99.0, memory_used=4096), cpus=1, memory=1024)
    assert told is not None
    assert (told.cpu, told.memory) == (100.0, 100.0)


@pytest.mark.sql
@pytest.mark.django_db
class TestHistory:
    @pytest.fixture
    def running(self, vm: VM, host: Host, admin: User) -> VM:
        return up(vm, host, by=admin)

    def test_a_day_of_a_machine_is_kept(self, running: VM, host: Host) -> None:
        for hours in (30, 20, 0):
            then = Counters(at=NOON - timedelta(hours=hours))
            assert statistics.measured(host, running.pk, then, Counters(at=then.at + MINUTE, cpu=6.0))
        assert [one.at for one in Statistic.objects.all()] == [NOON + MINUTE, NOON + MINUTE - timedelta(hours=20)]

    def test_one_that_is_off_or_elsewhere_has_none(self, running: VM, host: Host) -> None:
        other = Host.objects.create(name="other", cluster=host.cluster)
        assert not statistics.measured(other, running.pk, BEFORE, NOW)
        down(running, host)
        assert not statistics.measured(host, running.pk, BEFORE, NOW)
        assert not Statistic.objects.exists()

    def test_its_page_draws_them_without_a_script_or_a_style(self, web: Client, running: VM, host: Host) -> None:
        address = f"/vms/{running.pk}/monitoring"
        assert "Nothing was measured" in text_of(web, address)
        now = timezone.now()
        for minutes, cpu in ((2, 6.0), (1, 30.0)):
            then = Counters(at=now - timedelta(minutes=minutes))
            statistics.measured(host, running.pk, then, Counters(at=then.at + MINUTE, cpu=cpu, network=61_440, disk=0))
        text, html = text_of(web, address), web.get(address).content.decode()
        assert "CPU 50 % at most 50 % in the last hour" in text
        assert "Network 1.0 KB/s at most 1.0 KB/s" in text
        assert "Memory not told at most not told" in text
        points = html.partition('<polyline points="')[2].partition('"')[0].split()
        assert [point.partition(",")[2] for point in points] == ["42.4", "24.0"]
        assert "style=" not in html.partition("app-cards")[2]
