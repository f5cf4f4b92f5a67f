"""Programs that call the REST door, in both of its languages."""

import pytest

from tests.api.caller import Caller
from vms.models import User


@pytest.fixture(params=["xml", "json"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def api(admin: User, language: str) -> Caller:
    """The administrator's program."""
    return Caller(admin, language)


@pytest.fixture
def xml(admin: User) -> Caller:
    """The administrator's program, where the language makes no difference."""
    return Caller(admin)
