"""The field `type` of events: our word, which is oVirt's, or the number by which some of its clients know it."""

from dataclasses import dataclass, replace
from typing import Final

from django.db.models import Q

from vms.domain.search import Condition

from .fields import Asked, Text, alike

# What Ansible waits for after an import (oVirt: AuditLogType).
NUMBERS: Final = {"1152": "USER_ADOPT_VM"}


@dataclass(frozen=True)
class EventType(Text):
    """What happened."""

    def equal(self, condition: Condition, asked: Asked) -> Q:
        if (word := NUMBERS.get(condition.value.text)) is not None:
            return alike(self.path, (word,), replace(asked, exact_case=False))
        return super().equal(condition, asked)
