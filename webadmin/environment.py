"""Reads the environment; nonsense stops the program and names the variable."""

import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvValidationError

_URI: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


class Environment(Env):
    """environs, with the few kinds of value that this project's variables have."""

    def choice_or_uri(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """One of the choices, or something that looks like a libvirt URI."""
        value: str = self.str(name, default)
        if value in choices or _URI.match(value):
            return value
        raise ImproperlyConfigured(f"{name}={value!r}: expected {', '.join(choices)} or a libvirt URI")

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value: str = self.str(name, default)
        if value not in choices:
            raise ImproperlyConfigured(f"{name}={value!r}: expected one of {', '.join(choices)}")
        return value

    def number(self, name: str, default: int, low: int, high: int) -> int:
        try:
            value: int = self.int(name, default)
        except EnvValidationError as error:
            raise ImproperlyConfigured(f"{name}: expected a number from {low} to {high}") from error
        if not low <= value <= high:
            raise ImproperlyConfigured(f"{name}={value}: expected a number from {low} to {high}")
        return value

    def switch(self, name: str, default: bool) -> bool:
        try:
            return bool(self.bool(name, default))
        except EnvValidationError as error:
            raise ImproperlyConfigured(f"{name}: expected true or false") from error

    def directory(self, name: str, default: Path) -> Path:
        """A directory that only its owner enters, made on first use; one that is there stays as it is."""
        path = Path(self.str(name, "") or default).absolute()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ImproperlyConfigured(f"{name}={str(path)!r}: {error.strerror}") from error
        if not os.access(path, os.W_OK | os.X_OK):
            raise ImproperlyConfigured(f"{name}={str(path)!r}: nothing can be written there")
        return path

    def time_zone(self, name: str, default: str) -> str:
        value: str = self.str(name, default)
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ImproperlyConfigured(f"{name}={value!r}: expected a name like Europe/Berlin") from error
        return value

    def origins(self, name: str) -> list[str]:
        """Addresses of web sites as browsers send them: scheme and host, no slash behind; `vms.checks` looks closer."""
        given: list[str] = self.list(name, [])
        try:
            return [urlsplit(origin).geturl().rstrip("/") for origin in given]
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}: expected addresses like https://vms.example.org") from error

    def database(self, name: str, default: Path, connections: int = 10) -> dict[str, Any]:
        """Django's database settings from a URL: `sqlite:///PATH` or `postgres://…`; other engines are refused. A
        process has so many `connections` to PostgreSQL at most."""
        try:
            parsed: dict[str, Any] = dict(self.dj_db_url(name, f"sqlite:///{quote(str(default))}"))
        except (EnvValidationError, ValueError) as error:
            raise ImproperlyConfigured(f"{name}: {error}") from error
        if parsed.get("ENGINE") not in _ENGINES:
            raise ImproperlyConfigured(f"{name}: expected sqlite:///PATH or postgres://USER@HOST/NAME")
        return parsed | _ENGINES[parsed["ENGINE"]](parsed, connections)


def kept_secret(path: Path, make: Any = lambda: secrets.token_urlsafe(50)) -> str:
    """The secret in a file that only its owner reads; made on first use."""
    try:
        return _read(path) if path.exists() else _keep(path, make())
    except OSError as error:
        raise ImproperlyConfigured(f"{path}: {error.strerror}") from error


def field_keys(keys: Iterable[str]) -> list[str]:
    """The keys, each of which can encrypt; a wrong one is not repeated, it may be nearly right."""
    found = list(keys)
    for number, key in enumerate(found, start=1):
        try:
            Fernet(key)
        except ValueError as error:
            told = "expected 32 bytes in URL-safe base64, as `new_field_key` makes them"
            raise ImproperlyConfigured(f"FIELD_KEYS: key {number} is none; {told}") from error
    return found


def _read(path: Path) -> str:
    if secret := path.read_text().strip():
        return secret
    raise ImproperlyConfigured(f"{path} is empty: put the secret back, or remove the file for a new one")


def _keep(path: Path, secret: str) -> str:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Written aside and linked, so that two processes that start together agree on one secret.
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    aside.touch(mode=0o600)
    aside.write_text(secret)
    try:
        path.hardlink_to(aside)
    except FileExistsError:
        pass
    finally:
        aside.unlink()
    return _read(path)


def new_field_key() -> str:
    return Fernet.generate_key().decode()


def _sqlite(_parsed: dict[str, Any], _connections: int) -> dict[str, Any]:
    # Measured: with the default mode 41 to 57 of 80 concurrent edits failed with "locked", with these none.
    pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
    return {"OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": pragmas}}


def _postgresql(parsed: dict[str, Any], connections: int) -> dict[str, Any]:
    # A new connection costs 7 to 8 ms, more than a page; the pool keeps them.
    pool = {"min_size": 1, "max_size": connections, "timeout": 10}
    return {"OPTIONS": {**parsed.get("OPTIONS", {}), "pool": pool}, "CONN_HEALTH_CHECKS": True}


_ENGINES = {"django.db.backends.sqlite3": _sqlite, "django.db.backends.postgresql": _postgresql}
