"""The last picture that somebody took of a machine's screen."""

from django.conf import settings
from django.db import models


class Screenshot(models.Model):
    """What a machine's screen showed when somebody looked; it goes with the run that it is of."""

    vm = models.OneToOneField("VM", models.CASCADE, primary_key=True, related_name="screenshot")
    png = models.BinaryField()
    taken_at = models.DateTimeField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    def __str__(self) -> str:
        return f"{self.vm}, {self.taken_at:%Y-%m-%d %H:%M:%S}"
