"""oVirt's own Ansible collection, unmodified: everyday work, and a second run that changes nothing."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

if not os.environ.get("CI"):
    pytest.importorskip("ovirtsdk4", reason="oVirt's SDK is not installed")

from tests.api.installations import PASSWORD, USERNAME, installation

ANSIBLE = Path(sys.prefix) / "ansible" / "bin" / "ansible-playbook"
PLAYBOOKS = Path(__file__).parent / "playbooks"

pytestmark = [
    pytest.mark.clients,
    pytest.mark.needs(str(ANSIBLE)),
]


def play(name: str, url: str, home: Path, *, again: bool = False) -> tuple[int, str]:
    """Run the playbook: how many tasks have changed something, and all that was said."""
    told: dict[str, object] = {
        "url": f"{url}/ovirt-engine/api",
        "username": USERNAME,
        "password": PASSWORD,
        "ansible_python_interpreter": sys.executable,
    }
    told |= {"home": str(home), "again": again}
    done = subprocess.run(
        # By its interpreter: the first line of a script names where it was installed, which may have moved.
        [
            str(ANSIBLE.with_name("python")),
            str(ANSIBLE),
            "-i",
            "localhost,",
            "-e",
            json.dumps(told),
            str(PLAYBOOKS / f"{name}.yml"),
        ],
        env={**os.environ, "ANSIBLE_LOCAL_TEMP": str(home), "ANSIBLE_NOCOLOR": "1", "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    recap = re.search(r"changed=(\d+).*failed=0", done.stdout)
    assert recap, done.stdout[-3000:] + done.stderr[-1000:]
    return int(recap[1]), done.stdout


def test_a_playbook_does_everyday_work_and_changes_nothing_when_it_runs_again(
    tmp_path: Path, migrated_file: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    with installation("memory", migrated_file, django_db_blocker) as here:
        assert play("everyday", here.url, tmp_path)[0] >= 13
        changed, said = play("everyday", here.url, tmp_path)
        assert changed == 0, said
        assert play("networks", here.url, tmp_path)[0] >= 9
        changed, said = play("networks", here.url, tmp_path)
        assert changed == 0, said
        assert play("affinity", here.url, tmp_path)[0] == 4
        changed, said = play("affinity", here.url, tmp_path)
        assert changed == 0, said


def test_a_playbook_brings_images_and_keeps_storage_and_changes_nothing_when_it_runs_again(
    tmp_path: Path, migrated_file: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    image, fetched = tmp_path / "image.qcow2", tmp_path / "fetched.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "64M"], check=True)
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -q -P 0x5a 20M 1M", image], check=True)
    (tmp_path / "rescue.iso").write_bytes((bytes(32768) + b"\x01CD001\x01").ljust(1024 * 1024, b"\0"))
    with installation("memory", migrated_file, django_db_blocker) as here:
        assert play("storage", here.url, tmp_path)[0] >= 15
        subprocess.run(["qemu-img", "compare", "-q", image, fetched], check=True)
        changed, said = play("storage", here.url, tmp_path, again=True)
        assert changed == 0, said
