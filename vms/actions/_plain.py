"""Changing rows that are nothing but columns: places, hosts, people."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Model, ProtectedError

from vms.domain.errors import Refusal

from ._storable import require_storable


def changed(row: Model, changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Set columns on a locked row and save them: what those that differ were, and what they are."""
    differing = {name: value for name, value in changes.items() if getattr(row, name) != value}
    before = {name: told(getattr(row, name)) for name in differing}
    for name, value in differing.items():
        setattr(row, name, value)
    require_storable(row)
    if differing:
        row.save(update_fields=list(differing))
    return before, {name: told(value) for name, value in differing.items()}


def added(row: Model) -> None:
    """Save a new row whose texts fit."""
    require_storable(row)
    row.save(force_insert=True)


def removed(row: Model) -> None:
    """Remove a locked row that nothing else needs; refused with what does."""
    try:
        row.delete()
    except ProtectedError as error:
        users = sorted({str(user) for user in error.protected_objects})[:3]
        raise Refusal("ACTION_TYPE_FAILED_STILL_IN_USE", None, name=str(row), users=", ".join(users)) from error


def told(value: Any) -> Any:
    """A value as the audit trail keeps it."""
    return value if isinstance(value, str | int | bool | dict | None) else str(value)
