"""The accelerator: what hardware offers is believed only after it has been quick enough."""

import shutil
from pathlib import Path

import pytest

from tests.needs import need
from vms.hypervisors.accelerator import QEMU, SUCCESS, Accelerator, Setting, cache_key, probe, run_program


def a_qemu(folder: Path, script: str) -> str:
    """A stand-in for QEMU on a host whose KVM does what `script` says; such hosts cannot be had here."""
    path = folder / "qemu"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """A file that opens as /dev/kvm does where it may be used."""
    path = tmp_path / "kvm"
    path.touch()
    return path


@pytest.mark.hypervisor
def test_the_program_runs_through_under_emulation() -> None:
    need(None if shutil.which(QEMU) else f"{QEMU} is not installed")

    code, _ = run_program(QEMU, "tcg", limit=60)

    assert code == SUCCESS


@pytest.mark.hypervisor
def test_the_program_counts() -> None:
    need(None if shutil.which(QEMU) else f"{QEMU} is not installed")

    code, _ = run_program(QEMU, "tcg", limit=2, loops=2**32 - 1)

    assert code is None, "four thousand million rounds cannot be through in two seconds of emulation"


@pytest.mark.parametrize(("setting", "kind"), [("kvm", "kvm"), ("tcg", "qemu")])
def test_a_setting_is_obeyed_without_a_measurement(setting: Setting, kind: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    answer = probe(setting, qemu_binary=a_qemu(tmp_path, f"touch {ran}"))

    assert (answer.kind, answer.reason) == (kind, "set")
    assert not ran.exists()


def test_kvm_that_is_quick_is_taken(tmp_path: Path, device: Path) -> None:
    answer = probe("auto", qemu_binary=a_qemu(tmp_path, f"exit {SUCCESS}"), device=device, limit=30)

    assert (answer.kind, answer.reason) == ("kvm", "kvm_measured")


def test_kvm_that_does_not_end_in_time_is_left(tmp_path: Path, device: Path) -> None:
    answer = probe("auto", qemu_binary=a_qemu(tmp_path, "exec sleep 60"), device=device, limit=0.05)

    assert answer == Accelerator("qemu", "kvm_too_slow", {"seconds": "0.1"})


def test_kvm_that_was_slow_for_a_moment_gets_a_second_try(tmp_path: Path, device: Path) -> None:
    first = tmp_path / "first"
    script = f"[ -e {first} ] && exit {SUCCESS}; touch {first}; exec sleep 60"

    answer = probe("auto", qemu_binary=a_qemu(tmp_path, script), device=device, limit=3)

    assert answer.kind == "kvm"


@pytest.mark.parametrize("code", [0, 1, 35])
def test_kvm_that_ends_otherwise_is_left(code: int, tmp_path: Path, device: Path) -> None:
    answer = probe("auto", qemu_binary=a_qemu(tmp_path, f"exit {code}"), device=device, limit=30)

    assert answer == Accelerator("qemu", "kvm_failed", {"code": str(code)})


def test_a_host_without_kvm_emulates(tmp_path: Path) -> None:
    answer = probe("auto", qemu_binary=a_qemu(tmp_path, f"exit {SUCCESS}"), device=tmp_path / "missing")

    assert (answer.kind, answer.reason) == ("qemu", "kvm_not_open")
    assert answer.params["detail"] == "No such file or directory"


def test_a_missing_qemu_is_named(device: Path) -> None:
    answer = probe("auto", qemu_binary="qemu-of-nobody", device=device)

    assert answer == Accelerator("qemu", "qemu_missing", {"program": "qemu-of-nobody"})


def test_an_answer_is_kept_for_one_version_of_qemu(tmp_path: Path) -> None:
    before = cache_key(a_qemu(tmp_path, "echo 'QEMU emulator version 7.2.22'"))
    same = cache_key(a_qemu(tmp_path, "echo 'QEMU emulator version 7.2.22'"))
    after = cache_key(a_qemu(tmp_path, "echo 'QEMU emulator version 10.0.0'"))

    assert before == same
    assert before != after
