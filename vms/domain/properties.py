"""Custom properties: what a machine may be told beyond its fields, each with the values that it takes (oVirt has them,
too; ours are those that the domain XML can say)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .errors import Refusal


@dataclass(frozen=True, slots=True)
class Property:
    """One custom property: a pattern for its whole value, and an example of one that is right."""

    name: str
    pattern: str
    example: str


PROPERTIES: Final[dict[str, Property]] = {
    each.name: each
    for each in (
        # KiB a page (oVirt: the predefined property of that name).
        Property("hugepages", r"2048|1048576", "2048"),
        # oVirt: vdsm-hook-extra-cpu-flags, with a sign for what is to be missing.
        Property("extra_cpu_flags", r"[+-]?[a-z0-9_.-]+(,[+-]?[a-z0-9_.-]+)*", "+vmx,-svm"),
        # Some drivers of passed-through cards refuse to run where they see KVM.
        Property("kvm_hidden", r"true|false", "true"),
    )
}


def check(properties: Mapping[str, str]) -> None:
    """Refuse a property that nobody knows, or a value that it does not take."""
    for name, value in properties.items():
        if name not in PROPERTIES:
            known = ", ".join(sorted(PROPERTIES))
            raise Refusal("ILLEGAL_VALUE", "custom_properties", value=str(name)[:40], allowed=known)
        known_property = PROPERTIES[name]
        if not re.fullmatch(known_property.pattern, value):
            example = f"{name}={known_property.example}"
            raise Refusal("ILLEGAL_VALUE", "custom_properties", value=f"{name}={value}"[:80], allowed=example)
