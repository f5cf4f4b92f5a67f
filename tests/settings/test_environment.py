"""Settings from the environment: nonsense stops the program and names the variable, whatever the value is."""

import base64
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from webadmin.environment import Environment, field_keys, kept_secret, new_field_key

# The same in every worker: it is part of the names of tests.
KEY = base64.urlsafe_b64encode(bytes(32)).decode()


def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`python WORDS` with nothing but these variables in its environment."""
    surroundings = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, *words],
        cwd=settings.BASE_DIR,
        env=surroundings | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def shown(expression: str, **variables: str) -> str:
    """A setting as the program sees it."""
    done = run("-c", f"from webadmin import settings; print(({expression}))", **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "80.5"),
        ("PORT", ""),
        ("HYPERVISOR", "xen"),
        ("HYPERVISOR", "://host"),
        ("HYPERVISOR", ""),
        ("ACCELERATOR", "fast"),
        ("ACCELERATOR", ""),
        ("DEBUG", "maybe"),
        ("SESSION_HOURS", "0"),
        ("SESSION_HOURS", "721"),
        ("SESSION_HOURS", "twelve"),
        ("LOG_LEVEL", "loud"),
        ("TIME_ZONE", "Mars/Phobos"),
        ("TIME_ZONE", "../../etc/passwd"),
        ("TIME_ZONE", ""),
        ("FIELD_KEYS", "abc"),
        ("FIELD_KEYS", f"{KEY},abc"),
        ("FIELD_KEYS", f"{KEY},"),
        ("ORIGINS", "http://["),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "mysql://user@host/name"),
        ("DATABASE_URL", "postgres://host:port/name"),
        ("DATABASE_URL", ""),
        ("DATA_DIR", "/dev/null/below-a-file"),
        ("DATA_DIR", "/dev/null"),
    ],
)
def test_nonsense_stops_the_program_and_names_its_variable(tmp_path: Path, name: str, value: str) -> None:
    done = run("-c", "import webadmin.settings", **{"DATA_DIR": str(tmp_path), name: value})
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith(f"django.core.exceptions.ImproperlyConfigured: {name}")


def test_manage_py_stops_too_and_says_the_same(tmp_path: Path) -> None:
    done = run("manage.py", "check", DATA_DIR=str(tmp_path), PORT="http")
    assert done.returncode != 0
    assert "PORT: expected a number from 1 to 65535" in done.stderr


def test_a_wrong_key_is_not_shown(tmp_path: Path) -> None:
    nearly = KEY[:-2]
    done = run("-c", "import webadmin.settings", DATA_DIR=str(tmp_path), FIELD_KEYS=f"{KEY},{nearly}")
    assert "FIELD_KEYS: key 2" in done.stderr
    assert nearly not in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "expression", "expected"),
    [
        ("PORT", "8080", "settings.PORT", "8080"),
        ("HYPERVISOR", "qemu+ssh://root@host/system", "settings.HYPERVISOR", "qemu+ssh://root@host/system"),
        ("HYPERVISOR", "qemu:///session", "settings.HYPERVISOR", "qemu:///session"),
        ("HYPERVISOR", "memory", "settings.HYPERVISOR", "memory"),
        ("ACCELERATOR", "tcg", "settings.ACCELERATOR", "tcg"),
        ("DEBUG", "true", "settings.DEBUG", "True"),
        ("SESSION_HOURS", "2", "settings.SESSION_COOKIE_AGE", "7200"),
        ("TIME_ZONE", "Europe/Berlin", "settings.TIME_ZONE", "Europe/Berlin"),
        ("LOG_LEVEL", "WARNING", "settings.LOGGING['root']['level']", "WARNING"),
        ("SECRET_KEY", "given", "settings.SECRET_KEY", "given"),
        ("FIELD_KEYS", f"{KEY},{KEY}", "settings.FIELD_KEYS", str([KEY, KEY])),
        ("ORIGINS", "https://a.example/, http://b.example", "settings.CSRF_TRUSTED_ORIGINS[0]", "https://a.example"),
        ("ORIGINS", "https://a.example", "settings.ALLOWED_HOSTS[-1]", "a.example"),
        ("DATABASE_URL", "postgres://u:p%40@h:5/n", "settings.DATABASES['default']['PASSWORD']", "p@"),
        ("DATABASE_URL", "sqlite:////srv/x.db", "settings.DATABASES['default']['NAME']", "/srv/x.db"),
    ],
)
def test_what_makes_sense_is_taken(tmp_path: Path, name: str, value: str, expression: str, expected: str) -> None:
    assert shown(expression, **{"DATA_DIR": str(tmp_path), name: value}) == expected


@pytest.mark.parametrize(
    ("origins", "secure"),
    [
        ("", "False"),
        ("https://a.example", "True"),
        ("https://a.example,http://b.example", "False"),
        ("http://a.example", "False"),
    ],
)
def test_cookies_are_for_tls_where_every_address_has_it(tmp_path: Path, origins: str, secure: str) -> None:
    switches = "settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE, settings.SECURE_HSTS_SECONDS > 0"
    assert shown(switches, DATA_DIR=str(tmp_path), ORIGINS=origins) == f"({secure}, {secure}, {secure})"


@pytest.mark.parametrize("name", ["plain", "with space", "a#b", "a?b", "100%25", "Größe"])
def test_the_database_lies_in_the_data_directory_whatever_that_is_called(tmp_path: Path, name: str) -> None:
    expression = "settings.DATABASES['default']['NAME'] == str(settings.DATA_DIR / 'db.sqlite3')"
    assert shown(expression, DATA_DIR=str(tmp_path / name)) == "True"
    assert (tmp_path / name / "secrets" / "secret_key").exists()


def test_state_is_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    shown("settings.DATA_DIR", DATA_DIR=str(home))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home, *home.rglob("*"))}
    assert modes == {"home": 0o700, "secrets": 0o700, "secret_key": 0o600, "field_key": 0o600}


def test_a_directory_that_was_there_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    shown("settings.DATA_DIR", DATA_DIR=str(tmp_path))
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


def test_the_secrets_are_the_same_the_next_time(tmp_path: Path) -> None:
    both = "settings.SECRET_KEY, settings.FIELD_KEYS"
    first = shown(both, DATA_DIR=str(tmp_path))
    assert shown(both, DATA_DIR=str(tmp_path)) == first
    assert shown(both, DATA_DIR=str(tmp_path / "other")) != first


# -- a secret in a file


def test_processes_that_start_together_agree_on_one_secret(tmp_path: Path) -> None:
    both = "settings.SECRET_KEY, settings.FIELD_KEYS"
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: shown(both, DATA_DIR=str(tmp_path)), range(4)))
    assert len(set(told)) == 1
    assert sorted(path.name for path in (tmp_path / "secrets").iterdir()) == ["field_key", "secret_key"]


def test_whoever_comes_second_takes_the_secret_of_the_first(tmp_path: Path) -> None:
    """Between looking and writing another process has made one."""
    path = tmp_path / "secrets" / "secret"
    path.parent.mkdir()

    def slow() -> str:
        path.write_text("the first one's\n")
        return "the second one's"

    assert kept_secret(path, slow) == "the first one's"
    assert [one.name for one in path.parent.iterdir()] == ["secret"]


def test_a_secret_is_long_and_never_twice_the_same(tmp_path: Path) -> None:
    made = {kept_secret(tmp_path / str(number)) for number in range(20)}
    assert (len(made), min(len(secret) for secret in made) >= 50) == (20, True)


def test_a_key_that_is_made_can_encrypt() -> None:
    assert field_keys([new_field_key()])


@pytest.mark.parametrize("content", ["", " \n"])
def test_a_secret_that_was_emptied_is_missed(tmp_path: Path, content: str) -> None:
    """A full disk must not end in a secret that everybody knows."""
    path = tmp_path / "secret_key"
    path.write_text(content)
    with pytest.raises(ImproperlyConfigured, match="secret_key is empty"):
        kept_secret(path)


def test_a_secret_that_cannot_be_kept_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("a file where a directory should be")
    with pytest.raises(ImproperlyConfigured, match=r"secrets/secret_key: (Not a directory|File exists)"):
        kept_secret(tmp_path / "secrets" / "secret_key")


# -- the databases


def test_sqlite_takes_the_lock_before_it_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Measured: otherwise 41 to 57 of 80 concurrent edits fail."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    options = Environment().database("DATABASE_URL", tmp_path / "db.sqlite3")["OPTIONS"]
    assert (options["transaction_mode"], options["timeout"]) == ("IMMEDIATE", 20)


def test_sqlite_is_really_set_up_so(tmp_path: Path) -> None:
    """A statement that begins a transaction locks the file at once; readers go on meanwhile, as WAL lets them."""
    script = """
import django; django.setup()
from django.db import connection, transaction
import sqlite3
def pragma(name):
    with connection.cursor() as cursor:
        return cursor.execute(f"PRAGMA {name}").fetchone()[0]
print(pragma("journal_mode"), pragma("synchronous"), pragma("foreign_keys"), pragma("busy_timeout"))
other = sqlite3.connect(connection.settings_dict["NAME"], timeout=0)
with transaction.atomic(), connection.cursor() as cursor:
    cursor.execute("SELECT 1")
    try:
        other.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        print(error)
    print(other.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
other.execute("BEGIN IMMEDIATE")
print("free again")
"""
    done = run("-c", script, DATA_DIR=str(tmp_path), DJANGO_SETTINGS_MODULE="webadmin.settings")
    assert done.stdout.splitlines() == ["wal 1 1 20000", "database is locked", "0", "free again"], done.stderr


def test_postgresql_keeps_its_connections(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://user@/name?host=/run/postgresql&sslmode=require")
    parsed = Environment().database("DATABASE_URL", tmp_path)
    assert parsed["OPTIONS"]["pool"]["max_size"] > 1
    assert (parsed["OPTIONS"]["host"], parsed["OPTIONS"]["sslmode"]) == ("/run/postgresql", "require")
    assert parsed["CONN_HEALTH_CHECKS"] is True


def test_every_variable_is_in_the_manual() -> None:
    """… and nothing is in it that nobody reads."""
    sources = [Path(settings.BASE_DIR, name) for name in ("webadmin/settings.py", "vms/management/commands")]
    code = "".join(
        path.read_text() for source in sources for path in ([source] if source.is_file() else source.rglob("*.py"))
    )
    manual = Path(settings.BASE_DIR, "docs/settings.md").read_text()
    told = {line.split("`")[1] for line in manual.splitlines() if line.startswith("| `")}
    read = {name for name in told if f'"{name}"' in code}
    assert read == told
    assert {"PORT", "DATA_DIR", "DATABASE_URL", "ADMIN_PASSWORD", "HYPERVISOR", "ACCELERATOR"} <= told
