"""The field `tag`: a machine has a tag when that is put on it, or one below that."""

from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Q, UUIDField
from django.db.models.expressions import RawSQL

from vms.domain.search import Condition
from vms.models import Tag
from vms.models.texts import like

from .fields import Asked, Field

# Tags form a tree, which Django's queries cannot climb.
_WITH_THOSE_BELOW: Final = """
    WITH RECURSIVE meant(id) AS (
        SELECT id FROM vms_tag WHERE UPPER(name) LIKE UPPER(%s) ESCAPE '\\'
        UNION SELECT vms_tag.id FROM vms_tag JOIN meant ON vms_tag.parent_id = meant.id
    ) SELECT id FROM meant
"""


@dataclass(frozen=True)
class _Tagged(Field):
    """Capital and small letters are alike here whatever is asked: tags are words of people."""

    through: type[Any]
    owner: str

    def equal(self, condition: Condition, asked: Asked) -> Q:
        pattern = like(condition.value.parts)
        meant = RawSQL(_WITH_THOSE_BELOW, (pattern,), UUIDField())  # noqa: S611  (the text is ours)
        held = self.through.objects.filter(tag__in=Tag.objects.filter(pk__in=meant).values("pk"))
        return Q(pk__in=held.values(self.owner))


def tagged(model: type[Any]) -> Field:
    """The tags of the rows of a model."""
    return _Tagged(model.tags.through, model._meta.model_name)
