"""What has just changed, for open pages: a short tail that the engine cuts off again."""

from django.db import models


class Change(models.Model):
    """One row of one kind that somebody or something has changed; written in the transaction that changed it."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=24)
    key = models.UUIDField()
    at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
