"""Clients of people who have logged in, and machines of every kind that a list shows."""

import pytest
from django.test import Client

from vms.models import VM, User


@pytest.fixture
def web(admin: User, client: Client) -> Client:
    """The administrator's browser."""
    client.force_login(admin)
    return client


@pytest.fixture
def url(vm: VM) -> str:
    """The address of `vm`."""
    return f"/vms/{vm.pk}/"
