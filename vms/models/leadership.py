"""Which of several engines leads."""

from django.db import models


class Leadership(models.Model):
    """The engine that watches hosts and carries out jobs, until when unless it says so again; there is one row."""

    name = models.CharField(max_length=24, primary_key=True)
    owner = models.CharField(max_length=64)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.owner} until {self.until:%H:%M:%S}"
