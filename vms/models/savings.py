"""What a machine without a screen saves, as it was measured here."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Saving(models.Model):
    """One measurement: the same guest headless and with a screen, side by side, each `rounds` times.

    Memory is what its QEMU has for itself and its share of what it shares (PSS), in MiB; processors are in percent of
    one, over `seconds` of idleness. The last one counts.
    """

    at = models.DateTimeField(auto_now_add=True)
    host = models.CharField(max_length=255)
    rounds = models.PositiveSmallIntegerField()
    seconds = models.PositiveSmallIntegerField()
    memory_headless = models.FloatField()
    memory_graphical = models.FloatField()
    cpu_headless = models.FloatField()
    cpu_graphical = models.FloatField()

    class Meta:
        verbose_name = _("measurement of savings")
        verbose_name_plural = _("measurements of savings")
        ordering = ("-at", "-id")

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"

    @property
    def memory(self) -> float:
        """MiB that one machine saves; less than none where it costs more."""
        return self.memory_graphical - self.memory_headless

    @property
    def cpu(self) -> float:
        """Percent of a processor that one idle machine saves."""
        return self.cpu_graphical - self.cpu_headless
