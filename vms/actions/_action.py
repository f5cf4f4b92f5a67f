"""What makes a function an action: one transaction, and the database's no turned into a refusal in one place."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet

from vms.domain.errors import Refusal

P = ParamSpec("P")
R = TypeVar("R")
Row = TypeVar("Row", bound=Model)
Rows = TypeVar("Rows", bound=QuerySet[Any])

# What a violated constraint means; the laws of `Hardware` are refused by the domain before they get here.
_MEANINGS: tuple[tuple[str, str, str | None], ...] = (
    (r"one_exclusive_job_per_machine|vms_job\.machine", "ACTION_TYPE_FAILED_OBJECT_LOCKED", None),
    (r"one_active_preparation_per_machine|vms_preparation\.vm_id", "PREPARE_UNDER_WAY", None),
    (r"card_mac_used_once|vms_vmnic\.mac", "NETWORK_MAC_ADDRESS_IN_USE", "mac"),
    (
        r"name_used_once|vmnic\.name\b|(vm|pool|instancetype|template|tag|bookmark|role|cluster|datacenter|host)\.name\b"
        r"|vms_(affinitylabel|cluster|datacenter|host|macpool|role)_name_|vms_user.username|macpool\.name\b"
        r"|(network|vnicprofile|affinitygroup|affinitylabel)\.name\b",
        "ACTION_TYPE_FAILED_NAME_ALREADY_USED",
        "name",
    ),
)


def action(verb: Callable[P, R]) -> Callable[P, R]:
    """Run a verb in one transaction; what the database refuses leaves as a `Refusal`, with nothing done."""

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with transaction.atomic():
                return verb(*args, **kwargs)
        except IntegrityError as error:
            raise refusal_for(error) from error

    return run


def refusal_for(error: IntegrityError) -> Refusal:
    """The refusal that a violated constraint stands for."""
    # Never the detail: it repeats what people have typed, and that may read like the name of a constraint.
    diagnosis = getattr(error.__cause__, "diag", None)
    told = getattr(diagnosis, "constraint_name", None) or str(error).partition("\n")[0]
    for pattern, code, field in _MEANINGS:
        if re.search(pattern, told):
            return Refusal(code, field)
    return Refusal("CONSTRAINT_VIOLATED", None, constraint=told)


def locked(row: Row) -> Row:
    """The row as it is now, locked until the transaction ends; refused when it is gone.

    The lock lets others refer to the row: somebody who makes a machine of a template that is being edited is not in
    the way of its editor, who in turn may wait for a machine of it.
    """
    model = type(row)
    try:
        return model._default_manager.select_for_update(no_key=True).get(pk=row.pk)
    except ObjectDoesNotExist as error:
        raise Refusal("ACTION_TYPE_FAILED_VM_NOT_FOUND", None, name=str(row)) from error


def all_locked(rows: Rows) -> Rows:
    """Machines as they are now, locked in the order of their ids, as by everybody who locks several.

    What their clusters offer comes with them.
    """
    locking: Rows = rows.select_for_update(no_key=True).prefetch_related("cluster__hosts").order_by("pk")
    return locking
