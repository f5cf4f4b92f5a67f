"""Why a host cannot be reached, and what its administrator does about it (docs/hosts.md)."""

from typing import Final

from django.utils.translation import gettext_lazy as _

from .text import Text

REACH: Final[dict[str, Text]] = {
    "name_unknown": _("its name is not known here. Is it spelt correctly?"),
    "no_answer": _("nothing answers at its address. Is it switched on, and does no firewall stand in between?"),
    "port_closed": _(
        "it is there, but nothing listens at that port. Does sshd or libvirt's daemon run and listen there?"
    ),
    "not_libvirt": _(
        "what listens there hangs up. Is it libvirt's port, and the right way: qemu+ssh, qemu+tls or qemu+tcp?"
    ),
    "ssh_missing": _("the program ssh is missing where the engine runs; install the package openssh-client."),
    "ssh_not_there": _("what listens at that port does not speak SSH. Is the port right?"),
    "ssh_key_unknown": _(
        "its SSH host key is not known here. As the user that the engine runs as, log in to it once with ssh, compare "
        "the fingerprint and say yes."
    ),
    "ssh_key_changed": _(
        "its SSH host key is another one than before. Where it was installed anew, remove the old key with “ssh-keygen "
        "-R” and the host's name, as the user that the engine runs as; else somebody may be in between."
    ),
    "ssh_own_key_missing": _("the key that its address names (keyfile=…) cannot be read where the engine runs."),
    "ssh_refused": _(
        "SSH does not let the engine in. Put the public key of the user that the engine runs as there, with "
        "ssh-copy-id, or name another key in the address (?keyfile=/path); passwords are not used."
    ),
    "helper_missing": _(
        "SSH lets the engine in, but neither virt-ssh-helper nor nc is there; install the package "
        "libvirt-daemon-system."
    ),
    "libvirt_not_there": _(
        "no libvirt answers on it. Install the package libvirt-daemon-system there, and start libvirtd or virtqemud."
    ),
    "libvirt_forbids": _("this user may not use libvirt there; add him to the group libvirt, or come as root."),
    "password_refused": _(
        "it asks for a user name and password (SASL), which are not used. Let the engine in by its certificate "
        "(qemu+tls with auth_tls = none), or by SSH."
    ),
    "tls_files_missing": _(
        "the engine's certificates are not there: cacert.pem, clientcert.pem and clientkey.pem, in the directory that "
        "the address names (?pkipath=/path), or in /etc/pki."
    ),
    "tls_own_expired": _("the engine's own certificate (clientcert.pem) is no longer valid; issue a new one."),
    "tls_own_untrusted": _(
        "the engine's own certificate (clientcert.pem) was not issued by the authority that it trusts (cacert.pem)."
    ),
    "tls_refused": _(
        "it does not take the engine's certificate. The authority that issued it has to be the one that the host "
        "trusts (ca_file in its libvirtd.conf)."
    ),
    "tls_not_there": _("what listens there does not speak TLS. Is it the TLS port of libvirt (16514)?"),
    "tls_untrusted": _("its certificate was not issued by the authority that the engine trusts (cacert.pem)."),
    "tls_expired": _("its certificate is no longer valid; issue a new one and restart libvirt's daemon there."),
    "tls_other_name": _(
        "its certificate is for another name. It has to hold the name or IP address that stands in the address."
    ),
}
