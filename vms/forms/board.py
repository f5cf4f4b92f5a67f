"""What a TPM needs of the board that it is to be on, for dialogs."""

from django.utils.translation import gettext_lazy as _

from vms import messages
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.messages import Text
from vms.models import Hardware


def why_no_tpm(row: Hardware, firmware: Firmware, *, has_one: bool) -> Text:
    """Why a machine with this firmware cannot be given a TPM; empty where it can."""
    if not firmware.uefi:
        return _("Needs a chipset with UEFI or SecureBoot.")
    cluster = getattr(row, "cluster", None)
    if has_one or cluster is None or cluster.offers_tpm:
        return ""
    return messages.refusal(Refusal("TPM_DEVICE_REQUESTED_ON_UNSUPPORTED_PLATFORM", "tpm", cluster=cluster.name))
