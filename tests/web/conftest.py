"""Clients of people who have logged in, and machines of every kind that a list shows."""

import pytest
from django.test import Client
from pytest_django import Settings

from vms.models import VM, User


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Settings) -> None:
    """Nobody's password is worth the time here."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def web(admin: User, client: Client) -> Client:
    """The administrator's browser."""
    client.force_login(admin)
    return client


@pytest.fixture
def url(vm: VM) -> str:
    """The address of `vm`."""
    return f"/vms/{vm.pk}/"
