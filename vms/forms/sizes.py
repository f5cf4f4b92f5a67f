"""Sizes of disks as people write them."""

from decimal import Decimal
from math import ceil
from typing import Any, Final

from django import forms

from vms.domain.disks import DISK_SIZE, GIB, MIB
from vms.models import DiskAttachment

INTERFACES: Final[Any] = DiskAttachment._meta.get_field("interface").choices


def gib(size: int) -> Decimal:
    """A size in bytes as people write it."""
    return (Decimal(size) / GIB).quantize(Decimal("0.001")).normalize()


def in_bytes(size: Decimal) -> int:
    """What somebody wrote, in whole MiB."""
    return ceil(size * GIB / MIB) * MIB


def size_field(*, required: bool = True) -> forms.DecimalField:
    """A field for a disk's size."""
    least, most = (Decimal(limit) / GIB for limit in DISK_SIZE)
    return forms.DecimalField(
        min_value=least.quantize(Decimal("0.001")), max_value=most, decimal_places=3, required=required
    )
