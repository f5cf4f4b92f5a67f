"""How busy machines were: a bounded history of each, pruned as it grows."""

from django.db import models


class Statistic(models.Model):
    """One minute of a running machine: percent of its CPUs and memory, bytes a second of network and disk."""

    id = models.BigAutoField(primary_key=True)
    vm = models.ForeignKey("VM", models.CASCADE, related_name="statistics")
    at = models.DateTimeField()
    cpu = models.FloatField()
    memory = models.FloatField(null=True)
    network = models.FloatField()
    disk = models.FloatField()

    class Meta:
        ordering = ("-at",)
        indexes = (models.Index(fields=("vm", "-at"), name="statistic_of_vm"),)

    def __str__(self) -> str:
        return f"{self.cpu:.0f} % at {self.at:%H:%M}"
