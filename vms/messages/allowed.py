"""What would have been right instead of an illegal value."""

from typing import Final

from django.utils.translation import gettext_lazy as _

from .text import Text

# Phrases with which the domain says what `ILLEGAL_VALUE` would have allowed; ranges of numbers speak for themselves.
ALLOWED: Final[dict[str, Text]] = {
    "a file name in the boot library": _("the name of a file in the boot library"),
    "nothing without a kernel": _("nothing without a kernel"),
    "one line of printable text": _("one line of printable text"),
    "a shorter text": _("a shorter text"),
    "an address that libvirt connects by": _(
        "qemu:///system or qemu:///session for this machine, qemu+ssh://root@host/system, qemu+tls://host/system or "
        "qemu+tcp://host/system for another one, qemu+unix:///system?socket=/a/path for a socket"
    ),
    "a name or an IP address": _("a name or an IP address"),
    "any text": _("any text"),
    "one object at most": _("one object at most"),
    "each device once, at least one": _("each device once, and one at least"),
    "a serial number with the policy custom, and only with it": _(
        "a serial number with the policy “Custom serial number”, and only with it"
    ),
    "64 letters, digits, blanks and . _ : / - at most": _("64 letters, digits, blanks and . _ : / - at most"),
    "nothing without bytes": _("nothing without a number of bytes"),
    "one of the names that hosts tell": _("one of the names that the hosts tell"),
    "a name like Europe/Berlin": _("a name like Europe/Berlin"),
    "an address like http://proxy:3128": _("an address like http://proxy:3128"),
    "text that can be written": _("text that can be written"),
    "pools only": _("pools only"),
    "an absolute path": _("an absolute path, without blanks"),
    "the name of a volume group": _("the name of a volume group"),
    "a server, with NFS alone": _("the name of a server with NFS, and nothing otherwise"),
    "the name of a server": _("the name of a server"),
    "a disk with data; a CD goes into the drive": _("a disk with data; a CD goes into the drive"),
    "raw, on a volume group": _("raw, on a volume group"),
    "raw, for a disk that machines share": _("raw, for a disk that virtual machines share"),
    "true, or the format raw": _("thin provision, or the format raw"),
    "the size that a template's disk has": _("the size that the template's disk has"),
    "letters, digits, hyphens and underscores, 50 at most": _("letters, digits, hyphens and underscores, 50 at most"),
    "a field or a word": _("a field or a word"),
    "a value": _("a value"),
    "a number": _("a number"),
    "the name of a bridge or libvirt network of the hosts, and of nothing else": _(
        "the name of a bridge or libvirt network of the hosts, and nothing for another kind"
    ),
    "letters, digits and . _ -": _("letters, digits and . _ -"),
    "at most 15 characters": _("15 characters at most"),
    "nothing for a network that is not ours": _("nothing for a kind of network that hosts have already"),
    "a subnet like 192.168.150.0/24": _("a subnet like 192.168.150.0/24"),
    "an address like 56:6f:1a:2b:00:01": _("an address like 56:6f:1a:2b:00:01"),
    "the address of a card: its second digit is even, and it is not all zero": _(
        "the address of a card: its second digit is even, and it is not all zero"
    ),
    "the lower address first": _("the lower address first"),
    "addresses that begin alike": _("addresses that begin with the same two digits"),
    "nothing in a template": _("nothing in a template: each machine made of it gets its own"),
    "a cluster of the network's data center": _("a cluster of the network's data center"),
    "a name like debian": _("a name like debian"),
    "lines of OpenSSH .pub files": _("lines of OpenSSH .pub files"),
    "a host's name": _("a host's name, like web or web.example.org"),
    "IP addresses": _("IP addresses"),
    "domains": _("domains, like example.org"),
    "the name of a card": _("the name of a card, like nic1"),
    "an address with netmask and gateway": _("an address with netmask and gateway"),
    "16384 characters at most": _("16384 characters at most"),
    "one port left for the CD of the first boot": _("one SATA port left for the CD of the first boot"),
    "the name of the first version": _("the name that its first version has"),
}
