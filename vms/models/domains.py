"""What hosts have defined, in their hypervisors' own words: ours, adopted, and what nobody manages yet."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from vms.domain.lifecycle import Status


class Domain(models.Model):
    """One definition on one host; a virtual machine whose id is `machine` is the same.

    `definition` is what was seen last (empty once it is gone), `accepted` what is known to be meant: ours as we wrote
    it, or an adopted one as it was taken over. Where the two differ, somebody changed it behind our back. Passwords are
    in neither.
    """

    host = models.ForeignKey("Host", models.CASCADE, related_name="domains", verbose_name=_("host"))
    machine = models.UUIDField(db_index=True)
    name = models.CharField(_("name"), max_length=255)
    status = models.CharField(_("status"), max_length=24, default=Status.DOWN.value)
    definition = models.TextField(blank=True)
    accepted = models.TextField(blank=True)
    digest = models.CharField(max_length=64, blank=True)
    seen_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("domain")
        verbose_name_plural = _("domains")
        ordering = ("name", "id")
        constraints = (models.UniqueConstraint(fields=("host", "machine"), name="domain_once_per_host"),)

    def __str__(self) -> str:
        return self.name

    @property
    def differs(self) -> bool:
        """Whether somebody changed or removed it behind our back."""
        return bool(self.accepted) and self.definition != self.accepted

    @property
    def gone(self) -> bool:
        return not self.definition
