"""oVirt's own Ansible collection, unmodified: everyday work, and a second run that changes nothing."""

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
    pytest.mark.skipif(not ANSIBLE.exists() and not os.environ.get("CI"), reason="Ansible is not installed"),
]


def play(name: str, url: str, home: Path) -> tuple[int, str]:
    """Run the playbook: how many tasks have changed something, and all that was said."""
    told = {
        "url": f"{url}/ovirt-engine/api",
        "username": USERNAME,
        "password": f"'{PASSWORD}'",
        "ansible_python_interpreter": sys.executable,
    }
    words = " ".join(f"{name}={value}" for name, value in told.items())
    done = subprocess.run(
        # By its interpreter: the first line of a script names where it was installed, which may have moved.
        [
            str(ANSIBLE.with_name("python")),
            str(ANSIBLE),
            "-i",
            "localhost,",
            "-e",
            words,
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
