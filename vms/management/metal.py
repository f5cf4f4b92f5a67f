"""P5 and P6: what we add to a person's own `virsh start` of a machine, and to its list of a thousand of them."""

import json
import subprocess
import sys
from typing import Final

from .measuring import Result

MORE: Final = 20.0  # milliseconds that a start may take longer than `virsh start`


def measured() -> list[Result]:
    """A start by job and engine against `virsh start` of the same definition; a look at a thousand machines against
    libvirt's list of their states, and how often the database is written to where nothing has changed."""
    figures = json.loads(subprocess.check_output([sys.executable, "-m", "tests.bench.metal"], text=True))
    (ours, bare), (look, states) = figures["start"], figures["look"]
    return [
        Result("P5 a start, at most 20 ms more than virsh start", ours, bare, (bare + MORE) / bare),
        Result("P6 a look at 1,000 machines", look, states, 1.5),
        Result("P6 writes while nothing changes (a number, of none)", figures["writes"], 1.0, 0.0),
    ]
