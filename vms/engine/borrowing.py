"""Database connections of the engine's threads: nearly all of them wait for a hypervisor at any moment."""

from django.db import connection


def give_back() -> None:
    """Let other threads have this one's connection while it waits; without a pool every thread keeps its own."""
    if connection.settings_dict["OPTIONS"].get("pool") and not connection.in_atomic_block:
        connection.close()
