"""The one field of the account page: a public key."""

from django import forms
from django.utils.translation import gettext_lazy as _

from vms import messages
from vms.domain.errors import Refusal
from vms.messages import Text

from .fields import Field


class KeyForm(forms.Form):
    """A key to add, as OpenSSH writes it."""

    bound_field_class = Field
    locked: dict[str, Text] = {}

    line = forms.CharField(
        max_length=4000, label=_("Public key"), help_text=_("One line, as in ~/.ssh/id_ed25519.pub: ssh-ed25519 AAAA…")
    )

    def refuse(self, no: Refusal) -> None:
        """Show a refusal at the field that it is about, or above the form."""
        self.add_error(no.field if no.field in self.fields else None, messages.refusal(no))
