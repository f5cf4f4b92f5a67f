"""The tab Initial Run: what the guest is told at its first boot, by oVirt's words."""

from collections.abc import Mapping
from ipaddress import ip_interface
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from vms.domain.initialization import NO_ADDRESS, PREFIX
from vms.domain.secret import Secret

from .fields import text, zone
from .parts import Values

_FIELD: Final = "initialization_"
PASSWORD: Final = f"{_FIELD}root_password"
HEADLESS: Final = "prepare_headless"
NETWORKS: Final = f"{_FIELD}nic_configurations"
_WORDS: Final = (
    *("user_name", "authorized_ssh_keys", "host_name", "timezone", "dns_servers", "dns_search", "custom_script"),
)


def _lines(rows: int, length: int, help_text: Any = "") -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": rows})
    return forms.CharField(max_length=length, required=False, widget=widget, help_text=help_text, strip=False)


class FirstBootFields(forms.Form):
    """Fields of everything that cloud-init is told; empty ones say nothing."""

    initialization_user_name = text(32, _("Empty: the one that the image has made."))
    initialization_root_password = forms.CharField(
        max_length=255,
        required=False,
        strip=False,
        widget=forms.PasswordInput(render_value=True, attrs={"autocomplete": "new-password"}),
        help_text=_("It is kept encrypted and shown to nobody. Empty: as it is."),
    )
    initialization_authorized_ssh_keys = _lines(3, 16_000, _("A line of an OpenSSH .pub file for each key."))
    initialization_host_name = text(255, _("Empty: the name of the virtual machine."))
    initialization_timezone = zone(_("As the guest has it"))
    initialization_dns_servers = text(255, _("IP addresses, separated by blanks."))
    initialization_dns_search = text(255)
    initialization_nic_configurations = _lines(
        2,
        4_000,
        _("A line for each card: nic1 dhcp, nic1 none, or nic1 192.0.2.10/24 192.0.2.1 (gateway). Empty: DHCP."),
    )
    initialization_prepare_headless = forms.BooleanField(
        required=False,
        help_text=_(
            "GRUB and the kernel are told to speak on the serial line, as the wizard does it. It takes effect with the "
            "second boot: an image whose GRUB needs a screen has its first boot with one (Run Once)."
        ),
    )
    initialization_custom_script = _lines(
        4, 16_384, _("cloud-config in YAML, or a script that begins with #!; it is put to what the fields say.")
    )

    def clean_initialization_nic_configurations(self) -> list[dict[str, Any]]:
        """The cards that the lines name, as clients say them."""
        lines = self.cleaned_data[NETWORKS].splitlines()
        return [_configuration(line.split()) for line in lines if line.strip()]


def told(kept: Mapping[str, Any]) -> Values:
    """What the fields show of what is configured."""
    shown: Values = {f"{_FIELD}{word}": kept.get(f"{PREFIX}{word}", "") for word in _WORDS}
    shown[f"{_FIELD}{HEADLESS}"] = bool(kept.get(f"{PREFIX}{HEADLESS}"))
    return {**shown, NETWORKS: "\n".join(map(_line, kept.get(f"{PREFIX}nic_configurations") or ()))}


def words(cleaned: Values, kept: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept after the fields have spoken; what is empty is not there."""
    said: dict[str, Any] = {f"{PREFIX}{word}": str(cleaned[f"{_FIELD}{word}"]).replace("\r\n", "\n") for word in _WORDS}
    said[f"{PREFIX}nic_configurations"] = cleaned[NETWORKS]
    said[f"{PREFIX}{HEADLESS}"] = cleaned[f"{_FIELD}{HEADLESS}"]
    return {**{path: value for path, value in kept.items() if path not in said}, **{k: v for k, v in said.items() if v}}


def password(cleaned: Values) -> Values:
    """The attribute of a password that was typed."""
    typed = cleaned.get(PASSWORD)
    return {"initialization_password": Secret(typed)} if typed else {}


def _configuration(parts: list[str]) -> dict[str, Any]:
    name, *rest = parts
    if rest in ([], ["dhcp"]):
        return {"name": name, "boot_protocol": "dhcp", "on_boot": True}
    if rest == [NO_ADDRESS]:
        return {"name": name, "boot_protocol": NO_ADDRESS, "ipv6_boot_protocol": NO_ADDRESS, "on_boot": False}
    try:
        address = ip_interface(rest[0])
    except ValueError as error:
        told_ = {"line": " ".join(parts)[:60]}
        raise forms.ValidationError(_("“%(line)s” is none of these.") % told_) from error
    ip = {"address": str(address.ip), "netmask": str(address.network.prefixlen)}
    ip |= {"gateway": rest[1]} if len(rest) > 1 else {}
    if address.version == 6:
        return {"name": name, "boot_protocol": "dhcp", "ipv6_boot_protocol": "static", "ipv6": ip, "on_boot": True}
    return {"name": name, "boot_protocol": "static", "ip": ip, "on_boot": True}


def _line(said: Mapping[str, Any]) -> str:
    name = str(said.get("name", ""))
    for protocol, word in (("boot_protocol", "ip"), ("ipv6_boot_protocol", "ipv6")):
        if said.get(protocol) == "static":
            ip = said.get(word) or {}
            address = "/".join(filter(None, (ip.get("address", ""), ip.get("netmask", ""))))
            return " ".join(filter(None, (name, address, ip.get("gateway", ""))))
    return f"{name} {NO_ADDRESS if said.get('boot_protocol') == NO_ADDRESS else 'dhcp'}"
