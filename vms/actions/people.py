"""People who may log in."""

from collections.abc import Callable
from typing import Any, Final

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from vms.domain.errors import Refusal
from vms.domain.secret import Secret
from vms.models import ActionGroup, User

from ._action import action, locked
from ._audit import record
from ._authorise import Actor, authorise
from ._plain import added, changed, removed
from .permissions import require_administrator

PLAIN: Final = ("first_name", "last_name", "email")


@action
def create(username: str, *, password: Secret | None = None, by: Actor, **columns: Any) -> User:
    """A person without any role; without a password nobody can log in as them yet. `columns` are names and e-mail."""
    authorise(by, ActionGroup.MANIPULATE_USERS, None)
    user = User(username=username, **columns)
    _check("username", lambda: User.username_validator(username))
    if password is not None:
        _check("password", lambda: validate_password(password.reveal(), user))
    user.set_password(password.reveal() if password else None)
    added(user)
    record(by, "USER_ADD", user)
    return user


@action
def edit(user: User, *, by: Actor, **columns: Any) -> User:
    """Change somebody's names or e-mail address."""
    user = locked(user)
    authorise(by, ActionGroup.MANIPULATE_USERS, None)
    before, after = changed(user, columns)
    if after:
        record(by, "USER_UPDATE", user, before, after)
    return user


@action
def remove(user: User, *, by: Actor) -> None:
    """Remove somebody with all roles; nobody removes themselves, nor the last who administers the system."""
    user = locked(user)
    authorise(by, ActionGroup.MANIPULATE_USERS, None)
    if user == by:
        raise Refusal("USER_CANNOT_REMOVE_HIMSELF", None)
    record(by, "USER_REMOVE_ADUSER", user)
    removed(user)
    require_administrator()


def _check(field: str, validate: Callable[[], object]) -> None:
    try:
        validate()
    except ValidationError as error:
        raise Refusal("ILLEGAL_VALUE", field, value="…", allowed=" ".join(error.messages)) from error
