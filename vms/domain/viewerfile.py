"""The file that remote-viewer opens a console with (virt-viewer: man remote-viewer, CONNECTION FILE)."""

from .hosts import Endpoint
from .secret import Secret

NO_PASSWORD = Secret("")


def write(endpoint: Endpoint, *, title: str, password: Secret = NO_PASSWORD) -> str:
    """The text of a `.vv` file for a console that listens; without a password the viewer asks for one.

    `title` is the machine's name, of which no rule lets a line break through.
    """
    lines = [
        "[virt-viewer]",
        f"type={endpoint.protocol}",
        f"host={endpoint.address}",
        *([f"port={endpoint.port}"] if endpoint.port != -1 else []),
        *([f"tls-port={endpoint.tls_port}"] if endpoint.tls_port != -1 else []),
        *([f"password={password.reveal()}", "# The password is valid for a short time."] if password else []),
        "delete-this-file=1",
        "fullscreen=0",
        f"title={title} - Press SHIFT+F12 to release the cursor",
        "toggle-fullscreen=shift+f11",
        "release-cursor=shift+f12",
        "secure-attention=ctrl+alt+end",
    ]
    return "\n".join(lines) + "\n"
