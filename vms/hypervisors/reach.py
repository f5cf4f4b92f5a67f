"""How a daemon elsewhere is reached, and, where it is not, what keeps us from it, so that somebody can put it right."""

import re
import socket
import ssl
import subprocess
from typing import Final

from vms.domain.addresses import PORTS, Way

KNOCKS_WITHIN: Final = 3.0  # seconds; without an answer the kernel would try for two minutes, and so would who waits
SAID: Final = 300  # signs of what libvirt says; ssh warns by the page
AUTHORITY: Final = "/etc/pki/CA/cacert.pem"  # where libvirt looks, unless the address names a directory

# What libvirt, ssh and GnuTLS say → what it means, in `vms.messages`. The first that fits counts.
_MEANS: Final = tuple(
    (re.compile(words), why)
    for words, why in (
        ("REMOTE HOST IDENTIFICATION HAS CHANGED", "ssh_key_changed"),
        ("Host key verification failed", "ssh_key_unknown"),
        ("Identity file .* not accessible", "ssh_own_key_missing"),
        (r"Permission denied \(", "ssh_refused"),
        ("Could not resolve hostname|Name or service not known|Temporary failure in name", "name_unknown"),
        ("kex_exchange|banner exchange|banner line contains invalid|Connection closed by .* port", "ssh_not_there"),
        ("virt-ssh-helper: (command )?not found|nc: (command )?not found", "helper_missing"),
        ("Failed to connect socket to .*: Permission denied|org.libvirt.unix.manage|polkit", "libvirt_forbids"),
        ("Failed to connect socket to|virt-ssh-helper: cannot connect", "libvirt_not_there"),
        ("Cannot find 'ssh' in path|No such file or directory: 'ssh'", "ssh_missing"),
        ("Cannot read (CA|client) |Unable to (import|read) .*(certificate|key)", "tls_files_missing"),
        ("client certificate .* has expired|client certificate .* is not yet active", "tls_own_expired"),
        ("Our own certificate .* failed validation", "tls_own_untrusted"),
        ("Unable to read TLS confirmation", "tls_refused"),
        ("TLS handshake failed", "tls_not_there"),
        ("Failed to verify peer's certificate", "tls_untrusted"),
        ("authentication failed|No worthy mechs|SASL", "password_refused"),
        ("Connection refused", "port_closed"),
        ("No route to host|Network is unreachable|timed out", "no_answer"),
        ("Connection reset by peer|End of file while reading", "not_libvirt"),
    )
)
# What Python says of a certificate that GnuTLS says no more of than that it is wrong.
_CERTIFICATES: Final = (
    ("expired|not yet valid", "tls_expired"),
    ("mismatch|doesn't match", "tls_other_name"),
    ("issuer|self-signed", "tls_untrusted"),
)


def dialled(uri: str) -> str:
    """The URI as libvirt is given it: its ssh asks nobody for a password or about a key, for nobody sits there."""
    if Way.of(uri).transport != "ssh":
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}no_tty=1"


def knock(uri: str) -> None:
    """Raise `OSError` where nothing answers, soon."""
    way = Way.of(uri)
    machine, port = _by_ssh(way) if way.transport == "ssh" else (way.machine, way.port or PORTS.get(way.transport, 0))
    if machine and port:
        socket.create_connection((machine, port), KNOCKS_WITHIN).close()


def why_not(uri: str, said: str) -> str:
    """What keeps us from a daemon, by libvirt's words; empty where they say no more than that it does not answer."""
    why = next((why for words, why in _MEANS if words.search(said)), "")
    return _certificate(Way.of(uri)) if why == "tls_untrusted" else why


def brief(said: str) -> str:
    """What libvirt says, without the frame that ssh draws."""
    told = re.sub(r"@[@\s]*", " ", said) if "@@@@" in said else said
    return " ".join(told.split())[:SAID]


def _by_ssh(way: Way) -> tuple[str, int]:
    """Where ssh would connect, as its configuration says; nowhere that we could knock where others stand between."""
    words = ["ssh", "-G", *(["-p", str(way.port)] if way.port else []), "--", way.machine]
    told = subprocess.run(words, capture_output=True, text=True, check=False, timeout=KNOCKS_WITHIN).stdout
    options = dict(line.split(" ", 1) for line in told.splitlines() if " " in line)
    if {"proxyjump", "proxycommand"} & options.keys():
        return "", 0
    return options.get("hostname", way.machine), int(options.get("port", PORTS["ssh"]))


def _certificate(way: Way) -> str:
    """What is wrong with the certificate of a daemon, by a handshake of our own."""
    try:
        trusting = ssl.create_default_context(cafile=f"{way.pki}/cacert.pem" if way.pki else AUTHORITY)
        with socket.create_connection((way.machine, way.port or PORTS["tls"]), KNOCKS_WITHIN) as line:
            trusting.wrap_socket(line, server_hostname=way.machine).close()
    except ssl.SSLCertVerificationError as error:
        said = error.verify_message
        return next((why for words, why in _CERTIFICATES if re.search(words, said)), "tls_untrusted")
    except (OSError, ValueError):
        pass
    return "tls_untrusted"
