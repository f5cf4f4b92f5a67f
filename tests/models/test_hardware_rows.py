"""A row gives its value and takes one, and neither loses anything; lists ask the rows in words."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import examples
from tests.models.values import consoles, specs
from vms.domain.console import HEADLESS, SPICE, VNC, Console, Level, Offer, Protocol, Video
from vms.domain.hosts import Capabilities
from vms.domain.machine import MachineSpec
from vms.domain.runonce import Run, RunOnce
from vms.models import VM, Cluster, Hardware, Host, InstanceType, Pool, Template

KINDS: list[type[Hardware]] = [VM, Template, Pool, InstanceType]


@given(consoles())
def test_a_console_comes_back_as_it_was_given(console: Console) -> None:
    row = Template(name="any")
    row.console = console
    assert (row.console, row.console.before) == (console, console.before)


@given(specs())
def test_a_machine_comes_back_as_it_was_given(spec: MachineSpec) -> None:
    row = Template(id=spec.id)
    row.spec = spec
    assert row.spec == replace(spec, level=Level.V4_8, nics=(), machine="", addresses={})


@pytest.mark.django_db
@pytest.mark.sql
@examples(15)
@given(spec=specs(), kind=st.sampled_from(KINDS))
def test_a_machine_survives_the_database(spec: MachineSpec, kind: type[Hardware], cluster: Cluster) -> None:
    kind._default_manager.filter(pk=spec.id).delete()
    row: Any = kind(id=spec.id, **({"cluster": cluster} if kind in (VM, Pool) else {}))
    row.spec = replace(spec, name=f"v{spec.id.hex}")
    row.save(force_insert=True)
    found = kind._default_manager.get(pk=spec.id)
    assert (found.spec, found.console.before) == (row.spec, row.console.before)


def test_saving_the_named_columns_saves_the_whole_machine() -> None:
    columns = {field.name for field in Hardware._meta.concrete_fields if not field.generated}
    plain = {"id", "version", "created_at", "description", "comment", "delete_protected", "kept"}
    plain.add("initialization_password")
    assert set(Hardware.SPEC_FIELDS) == columns - plain


def test_what_edits_write_and_what_the_engine_writes_are_different_columns() -> None:
    written = [*VM.SPEC_FIELDS, *VM.OBSERVED_FIELDS, *VM.PROJECTED_FIELDS]
    assert len(written) == len(set(written))


@pytest.mark.django_db
@pytest.mark.sql
class TestLists:
    @pytest.fixture
    def rows(self, cluster: Cluster) -> list[VM]:
        made = []
        for name, console in {
            "dark": Console(graphics=HEADLESS, video=None),
            "vnc": Console(graphics=VNC, video=Video.VGA),
            "spice": Console(graphics=SPICE, video=Video.QXL),
        }.items():
            row = VM(name=name, cluster=cluster)
            row.console = console
            row.save()
            made.append(row)
        return made

    def test_headless_ones_are_those_whose_console_is(self, rows: list[VM]) -> None:
        assert [row.name for row in VM.objects.headless()] == [row.name for row in rows if row.console.headless]

    def test_graphical_ones_are_all_others(self, rows: list[VM]) -> None:
        assert {row.name for row in VM.objects.graphical()} == {"vnc", "spice"}

    def test_those_that_are_up_and_those_that_need_a_restart_are_found(self, rows: list[VM]) -> None:
        VM.objects.filter(name="vnc").update(observed="up")
        VM.objects.filter(name="spice").update(pending=True)
        assert [row.name for row in VM.objects.up()] == ["vnc"]
        assert [row.name for row in VM.objects.needing_restart()] == ["spice"]


@pytest.mark.django_db
@pytest.mark.sql
class TestWhatAClusterOffers:
    @pytest.fixture
    def row(self, cluster: Cluster) -> VM:
        cluster.level = "4.4"
        cluster.save(update_fields=["level"])
        return VM(name="any", cluster=cluster)

    def test_the_level_is_the_clusters(self, row: VM) -> None:
        assert row.offer() == Offer(level=Level.V4_4)

    def test_what_has_no_cluster_is_ruled_by_no_level(self) -> None:
        assert InstanceType(name="any").offer() == Offer(level=None)

    def test_everything_is_offered_until_a_host_has_told(self, row: VM, cluster: Cluster) -> None:
        Host.objects.create(name="silent", cluster=cluster)
        assert row.offer().protocols == {Protocol.VNC, Protocol.SPICE}

    def test_one_host_that_offers_a_protocol_is_enough(self, row: VM, cluster: Cluster) -> None:
        for name, graphics in {"bare": HEADLESS, "vnc": VNC, "silent": None}.items():
            host = Host(name=name, cluster=cluster)
            if graphics is not None:
                host.capabilities = Capabilities(graphics=graphics)
            host.save()
        assert row.offer().protocols == VNC

    def test_what_a_host_offers_survives_the_database(self, cluster: Cluster) -> None:
        told = Capabilities(graphics=SPICE, videos=frozenset({"qxl"}), cpus=4, memory=8192, hypervisor="libvirt 9")
        host = Host(name="told", cluster=cluster)
        host.capabilities = told
        host.save()
        assert Host.objects.get().capabilities == told


class TestRunning:
    def test_a_run_comes_back_as_it_was_given(self) -> None:
        vm = VM(name="any", cluster=Cluster(level="4.8"))
        run = Run(base=vm.spec, once=RunOnce(graphics=HEADLESS, volatile=True))
        vm.run = run
        assert (vm.run, vm.running_console) == (run, run.spec.console)

    def test_a_machine_that_is_down_runs_nothing_and_waits_for_nothing(self) -> None:
        vm = VM(name="any", cluster=Cluster(level="4.8"))
        assert (vm.run, vm.running_console, vm.pending_changes) == (None, None, ())

    def test_what_is_laid_over_one_run_is_not_pending(self) -> None:
        vm = VM(name="any", cluster=Cluster(level="4.8"))
        vm.run = Run(base=vm.spec, once=RunOnce(graphics=HEADLESS))
        assert vm.pending_changes == ()
