"""What a host's administrator makes for qemu+ssh and qemu+tls: an SSH server, keys, an authority, certificates."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.hypervisors.conftest import wait_until
from tests.hypervisors.hosts import NetworkedDaemon

SSHD = "/usr/sbin/sshd"
_OWN_SSH = 'mount --bind "$0" "$1"; shift; exec "$@"'


class Authority:
    """Signs certificates that hold from `since` to `until` days from now."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.certificate = self._signed(self._name, self._key, x509.BasicConstraints(ca=True, path_length=None))

    def issue(self, to: Path, who: str, *addresses: str, since: float = -1, until: float = 1) -> None:
        """`WHOcert.pem` and `WHOkey.pem`, for these IP addresses."""
        to.mkdir(exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(one)) for one in addresses])
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, who)])
        made = self._signed(subject, key, names if addresses else None, since, until)
        (to / f"{who}cert.pem").write_bytes(made)
        plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (to / f"{who}key.pem").write_bytes(plain)

    def client(self, to: Path, *, trusts: "Authority | None" = None, until: float = 1) -> Path:
        """A directory as `pkipath` names it, with a certificate of this one's."""
        self.issue(to, "client", since=-3, until=until)
        (to / "cacert.pem").write_bytes((trusts or self).certificate)
        return to

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        extension: x509.ExtensionType | None,
        since: float = -1,
        until: float = 1,
    ) -> bytes:
        now = datetime.now(UTC)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
        made = made.serial_number(x509.random_serial_number())
        made = made.not_valid_before(now + timedelta(days=since)).not_valid_after(now + timedelta(days=until))
        if extension is not None:
            made = made.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)


def over_tls(server: Path) -> str:
    """Settings of a daemon that listens with the certificate of its name in `server`, and knows who `cacert` signed."""
    files = {"key_file": "{name}key.pem", "cert_file": "{name}cert.pem", "ca_file": "cacert.pem"}
    return "listen_tls = 1\n" + "".join(f'{name} = "{server}/{file}"\n' for name, file in files.items())


def key(path: Path) -> Path:
    """A pair of SSH keys."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


def known(address: str, pair: Path) -> str:
    """The line of `known_hosts` for a host that has this key."""
    return f"{address} {pair.with_suffix('.pub').read_text()}"


@contextlib.contextmanager
def ssh_server(daemon: NetworkedDaemon, host_key: Path, lets_in: Path) -> Iterator[None]:
    """An SSH server on the daemon's host, which knows one key."""
    place = host_key.parent
    authorized = place / "authorized_keys"
    authorized.write_text(lets_in.with_suffix(".pub").read_text())
    settings = {
        "ListenAddress": daemon.address,
        "HostKey": host_key,
        "AuthorizedKeysFile": authorized,
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "PermitRootLogin": "yes",
    }
    (place / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    Path("/run/sshd").mkdir(exist_ok=True)  # it insists
    log = place / "sshd.log"
    words = ["nsenter", "-t", str(daemon.pid), "-m", "-n", "-u", SSHD, "-D", "-E", str(log)]
    with subprocess.Popen([*words, "-f", str(place / "sshd_config")]) as server:
        try:
            wait_until(lambda: log.exists() and "Server listening" in log.read_text(), 10, "the SSH server")
            yield
        finally:
            # Whoever is logged in is not told when the network goes with its namespace; a broker lives on for a while.
            sessions = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
            server.terminate()
            for session in sessions:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(session), signal.SIGKILL)


@contextlib.contextmanager
def ssh_of_its_own(home: Path) -> Iterator[tuple[Path, Sequence[str]]]:
    """A ~/.ssh that is nobody's, and the words before a command that has it in place of its user's."""
    mine = home / "dot-ssh"
    mine.mkdir(mode=0o700)
    place = Path(pwd.getpwuid(os.geteuid()).pw_dir) / ".ssh"
    made = not place.exists()
    place.mkdir(mode=0o700, exist_ok=True)
    try:
        yield mine, ("unshare", "--mount", "--propagation", "slave", "sh", "-c", _OWN_SSH, str(mine), str(place))
    finally:
        if made:
            shutil.rmtree(place)
