"""Records what a boot looks like from outside, second by second: a trace of the boot doctor's corpus.

    python -m tests.distribution.record TRACE.json SECONDS QEMU-ARGUMENT...

QEMU runs emulated, without a screen, as headless machines do: its firmware speaks on the serial line.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

QEMU: Final = ("qemu-system-x86_64", "-accel", "tcg", "-machine", "q35,graphics=off", "-m", "512")
BARE: Final = ("-nodefaults", "-no-user-config", "-display", "none", "-vga", "none")
TICKS: Final = os.sysconf("SC_CLK_TCK")


def main(target: Path, seconds: float, arguments: list[str]) -> None:
    """Run QEMU for so long, and write the trace."""
    with tempfile.TemporaryDirectory() as scratch:
        line, monitor = Path(scratch, "line"), Path(scratch, "monitor")
        line.touch()
        ends = ("-chardev", f"file,id=line,path={line}", "-serial", "chardev:line")
        asked = ("-qmp", f"unix:{monitor},server=on,wait=off")
        with subprocess.Popen([*QEMU, *BARE, *ends, *asked, *arguments]) as qemu:
            try:
                target.write_text(_as_lines(_followed(qemu.pid, line, monitor, seconds)))
            finally:
                qemu.kill()


def _followed(pid: int, line: Path, monitor: Path, seconds: float) -> list[list[Any]]:
    while not monitor.exists():
        time.sleep(0.01)
    began, heard, trace = time.monotonic(), 0, []
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(monitor))
        with connection.makefile("rw") as talk:
            talk.readline()
            _ask(talk, "qmp_capabilities")
            while (age := time.monotonic() - began) < seconds:
                said = line.read_bytes()[heard:]
                heard += len(said)
                reads = sum(each["stats"]["rd_operations"] for each in _ask(talk, "query-blockstats"))
                trace.append([round(age, 1), _used(pid), reads, said.decode(errors="replace")])
                time.sleep(1)
    return trace


def _ask(talk: Any, command: str) -> Any:
    talk.write(json.dumps({"execute": command}) + "\n")
    talk.flush()
    while "return" not in (answer := json.loads(talk.readline())):
        pass
    return answer["return"]


def _used(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return round((int(words[11]) + int(words[12])) / TICKS, 2)


def _as_lines(trace: list[list[Any]]) -> str:
    return "[\n" + ",\n".join(json.dumps(each) for each in trace) + "\n]\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
