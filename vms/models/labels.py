"""What people sort machines by for themselves: tags on machines, and searches kept under a name."""

from uuid import uuid4

from django.db import models
from django.utils.translation import gettext_lazy as _


class Tag(models.Model):
    """A word that is put on machines and templates; tags form a tree, and those at its top have no parent."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(_("name"), max_length=50)
    description = models.CharField(_("description"), max_length=4000, blank=True)
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="children")

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("name",), name="tag_name_used_once"),)

    def __str__(self) -> str:
        return self.name


class Bookmark(models.Model):
    """A search that is kept under a name, for all administrators as in oVirt; `value` begins with what it is about
    (`Vms: status = up`)."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(_("name"), max_length=40)
    value = models.CharField(_("search"), max_length=4000)

    class Meta:
        verbose_name = _("bookmark")
        verbose_name_plural = _("bookmarks")
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("name",), name="bookmark_name_used_once"),)

    def __str__(self) -> str:
        return self.name
