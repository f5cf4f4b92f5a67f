"""Texts that a column can hold."""

from django.db.models import Model

from vms.domain.errors import Refusal


def require_storable(row: Model) -> None:
    """Refuse a text that its column cannot hold: PostgreSQL would end in an error, SQLite would store anything."""
    for field in row._meta.concrete_fields:
        text = None if field.generated else getattr(row, field.attname)
        if not isinstance(text, str):
            continue
        if field.max_length and len(text) > field.max_length:
            raise Refusal("ILLEGAL_VALUE", field.name, value=f"{text[:40]}…", allowed="a shorter text")
        if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise Refusal("ILLEGAL_VALUE", field.name, value=ascii(text[:40]), allowed="text that can be written")
