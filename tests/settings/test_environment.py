"""Settings from the environment: nonsense stops the program and names the variable, whatever the value is."""

import base64
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from webadmin.environment import Environment, field_keys, kept_secret, new_field_key

# The same in every worker: it is part of the names of tests.
KEY = base64.urlsafe_b64encode(bytes(32)).decode()
SOURCE = str(settings.BASE_DIR / "webadmin" / "settings.py")
ORIGINS = ["https://a.example", "http://b.example"]


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


def settings_with(**variables: str) -> SimpleNamespace:
    """The settings of a program that has nothing but these variables in its environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", dict(variables))
        return SimpleNamespace(**run_path(SOURCE, run_name="webadmin.settings"))


NONSENSE = {
    "PORT": ["http", "0", "65536", "-1", "80.5", ""],
    "HYPERVISOR": ["xen", "://host", ""],
    "ACCELERATOR": ["fast", ""],
    "NETWORKS": ["bridged", ""],
    "DEBUG": ["maybe"],
    "SESSION_HOURS": ["0", "721", "twelve"],
    "LOG_LEVEL": ["loud"],
    "TIME_ZONE": ["Mars/Phobos", "../../etc/passwd", ""],
    "FIELD_KEYS": ["abc", f"{KEY},abc", f"{KEY},"],
    "ORIGINS": ["http://["],
    "DATABASE_URL": ["nonsense", "mysql://user@host/name", "postgres://host:port/name", ""],
    "DATA_DIR": ["/dev/null/below-a-file", "/dev/null"],
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_stops_the_program_and_names_its_variable(tmp_path: Path, name: str) -> None:
    for value in NONSENSE[name]:
        with pytest.raises(ImproperlyConfigured) as stopped:
            settings_with(**{"DATA_DIR": str(tmp_path), name: value})
        assert str(stopped.value).startswith(name), value


def test_manage_py_stops_too_and_says_the_same(tmp_path: Path) -> None:
    done = run("manage.py", "check", DATA_DIR=str(tmp_path), PORT="http")
    assert done.returncode != 0
    told = "django.core.exceptions.ImproperlyConfigured: PORT: expected a number from 1 to 65535"
    assert done.stderr.strip().splitlines()[-1] == told


def test_a_wrong_key_is_not_shown(tmp_path: Path) -> None:
    nearly = KEY[:-2]
    with pytest.raises(ImproperlyConfigured, match="FIELD_KEYS: key 2") as stopped:
        settings_with(DATA_DIR=str(tmp_path), FIELD_KEYS=f"{KEY},{nearly}")
    assert nearly not in str(stopped.value)


@pytest.mark.parametrize(
    ("name", "value", "setting", "expected"),
    [
        ("PORT", "8080", "PORT", 8080),
        ("HYPERVISOR", "qemu+ssh://root@host/system", "HYPERVISOR", "qemu+ssh://root@host/system"),
        ("HYPERVISOR", "qemu:///session", "HYPERVISOR", "qemu:///session"),
        ("HYPERVISOR", "memory", "HYPERVISOR", "memory"),
        ("ACCELERATOR", "tcg", "ACCELERATOR", "tcg"),
        ("NETWORKS", "user", "NETWORKS", "user"),
        ("DEBUG", "true", "DEBUG", True),
        ("SESSION_HOURS", "2", "SESSION_COOKIE_AGE", 7200),
        ("TIME_ZONE", "Europe/Berlin", "TIME_ZONE", "Europe/Berlin"),
        ("SECRET_KEY", "given", "SECRET_KEY", "given"),
        ("FIELD_KEYS", f"{KEY},{KEY}", "FIELD_KEYS", [KEY, KEY]),
        ("ORIGINS", "https://a.example/,http://b.example", "CSRF_TRUSTED_ORIGINS", ORIGINS),
    ],
)
def test_what_makes_sense_is_taken(tmp_path: Path, name: str, value: str, setting: str, expected: object) -> None:
    assert vars(settings_with(**{"DATA_DIR": str(tmp_path), name: value}))[setting] == expected


def test_the_level_of_the_log_is_taken(tmp_path: Path) -> None:
    assert settings_with(DATA_DIR=str(tmp_path), LOG_LEVEL="WARNING").LOGGING["root"]["level"] == "WARNING"


def test_the_origins_are_addresses_that_are_answered_to(tmp_path: Path) -> None:
    assert settings_with(DATA_DIR=str(tmp_path), ORIGINS="https://a.example").ALLOWED_HOSTS[-1] == "a.example"


def test_a_database_is_taken_from_its_address(tmp_path: Path) -> None:
    server = settings_with(DATA_DIR=str(tmp_path), DATABASE_URL="postgres://u:p%40@h:5/n").DATABASES["default"]
    assert (server["HOST"], server["PORT"], server["USER"], server["PASSWORD"], server["NAME"]) == (
        *("h", 5, "u", "p@", "n"),
    )
    file = settings_with(DATA_DIR=str(tmp_path), DATABASE_URL="sqlite:////srv/x.db").DATABASES["default"]
    assert file["NAME"] == "/srv/x.db"


@pytest.mark.parametrize(
    ("origins", "secure"),
    [
        ("", False),
        ("https://a.example", True),
        ("https://a.example,http://b.example", False),
        ("http://a.example", False),
    ],
)
def test_cookies_are_for_tls_where_every_address_has_it(tmp_path: Path, origins: str, secure: bool) -> None:
    found = settings_with(DATA_DIR=str(tmp_path), ORIGINS=origins)
    switches = (found.SESSION_COOKIE_SECURE, found.CSRF_COOKIE_SECURE, found.SECURE_HSTS_SECONDS > 0)
    assert switches == (secure, secure, secure)


@pytest.mark.parametrize("name", ["plain", "with space", "a#b", "a?b", "100%25", "Größe"])
def test_the_database_lies_in_the_data_directory_whatever_that_is_called(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    assert settings_with(DATA_DIR=str(home)).DATABASES["default"]["NAME"] == str(home / "db.sqlite3")
    assert (home / "secrets" / "secret_key").exists()


def test_state_is_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    settings_with(DATA_DIR=str(home))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home, *home.rglob("*"))}
    assert modes == {"home": 0o700, "secrets": 0o700, "secret_key": 0o600, "field_key": 0o600}


def test_a_directory_that_was_there_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    settings_with(DATA_DIR=str(tmp_path))
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


def test_the_secrets_are_the_same_the_next_time(tmp_path: Path) -> None:
    first, again, elsewhere = (secrets_in(home) for home in (tmp_path, tmp_path, tmp_path / "other"))
    assert again == first
    assert not set(elsewhere) & set(first)


def secrets_in(home: Path) -> tuple[str, ...]:
    found = settings_with(DATA_DIR=str(home))
    return (found.SECRET_KEY, *found.FIELD_KEYS)


# -- a secret in a file


def test_processes_that_start_together_agree_on_one_secret(tmp_path: Path) -> None:
    script = "from webadmin import settings; print(settings.SECRET_KEY, settings.FIELD_KEYS)"
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: run("-c", script, DATA_DIR=str(tmp_path)).stdout, range(4)))
    assert told == [told[0]] * 4
    assert told[0]
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
    assert parsed["OPTIONS"]["pool"]["max_size"] == 10
    assert Environment().database("DATABASE_URL", tmp_path, 30)["OPTIONS"]["pool"]["max_size"] == 30
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
