"""`python -m tests.hypervisors.opening URI…`: what a driver says when it opens each of these, as JSON."""

import json
import sys
from pathlib import Path

from vms.domain.errors import Refusal
from vms.hypervisors.bootfiles import LocalFiles
from vms.hypervisors.libvirt import LibvirtHypervisor, Location


def why(uri: str) -> str:
    """The reason why it cannot be reached; empty when it can be."""
    driver = LibvirtHypervisor(lambda: Location(uri=uri, files=LocalFiles(Path())), "there")
    try:
        driver.open(lambda _event: None)
        driver.capabilities()
    except Refusal as no:
        return str(no.params.get("host_why") or f"{no.code} {no.params}")
    finally:
        driver.close()
    return ""


if __name__ == "__main__":
    json.dump([why(uri) for uri in sys.argv[1:]], sys.stdout)
