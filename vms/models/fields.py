"""Columns that hold what must not be read from a copy of the database."""

from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

from vms.domain.secret import Secret


def _cipher() -> MultiFernet:
    """The keys of `FIELD_KEYS`, newest first: the first encrypts, all decrypt, so a key can be rotated."""
    return MultiFernet([Fernet(key) for key in settings.FIELD_KEYS])


if TYPE_CHECKING:
    _Text = models.TextField[Secret | str, Secret]
else:
    _Text = models.TextField


class EncryptedField(_Text):
    """A `Secret`, encrypted with a key that lies outside the database; the row gives a `Secret`, never a text."""

    description = "an encrypted text"

    def get_prep_value(self, value: Secret | None) -> str:
        if not value:
            return ""
        if not isinstance(value, Secret):
            raise TypeError(f"{self.name} takes a Secret, not a {type(value).__name__}")
        return _cipher().encrypt(value.reveal().encode()).decode()

    def from_db_value(self, value: str | None, *_: Any) -> Secret:
        if not value:
            return Secret("")
        try:
            return Secret(_cipher().decrypt(value.encode()).decode())
        except InvalidToken as error:
            raise ImproperlyConfigured(
                f"{self.model._meta.label}.{self.name} was encrypted with a key that FIELD_KEYS does not hold"
            ) from error

    def to_python(self, value: Any) -> Secret:
        return value if isinstance(value, Secret) else Secret(value or "")

    def value_to_string(self, obj: models.Model) -> str:
        return ""
