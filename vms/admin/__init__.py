"""Django admin: thin adapters over the same forms and actions; it saves and deletes nothing by itself."""

from . import machines, people, places, storage, trail

__all__ = ["machines", "people", "places", "storage", "trail"]
