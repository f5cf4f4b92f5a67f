"""Consoles are served by threads and an event loop: they share a database file."""

from tests.consoles.site import site
from tests.engine.conftest import db

__all__ = ["db", "site"]
