"""Public keys, by which people come to serial consoles over SSH."""

from uuid import uuid4

from django.conf import settings
from django.db import models


class PublicKey(models.Model):
    """A key that stands for one person; nobody else can bring the same."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="public_keys")
    fingerprint = models.CharField(max_length=64, unique=True, editable=False)
    line = models.TextField()
    comment = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("created_at",)

    def __str__(self) -> str:
        return f"{self.fingerprint} {self.comment}".strip()
