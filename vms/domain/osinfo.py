"""The operating systems that a machine may be made for, and what a guest of each needs (oVirt: osinfo-defaults)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Family(StrEnum):
    """What decides how a guest keeps its clock and which ways to start it there are."""

    LINUX = "linux"
    WINDOWS = "windows"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class OperatingSystem:
    """One system: `key` as oVirt's REST names it, `osinfo` as libosinfo does (empty where it knows none)."""

    key: str
    name: str
    family: Family
    osinfo: str = ""

    @property
    def keeps_local_time(self) -> bool:
        """Whether its hardware clock shows local time rather than UTC."""
        return self.family == Family.WINDOWS


DEFAULT: Final = "other"

OPERATING_SYSTEMS: Final[dict[str, OperatingSystem]] = {
    each.key: each
    for each in (
        OperatingSystem(DEFAULT, "Other OS", Family.OTHER),
        OperatingSystem("other_linux", "Linux", Family.LINUX, "http://libosinfo.org/linux/2022"),
        OperatingSystem("debian_9", "Debian 9 or newer", Family.LINUX, "http://debian.org/debian/9"),
        OperatingSystem("debian_11", "Debian 11", Family.LINUX, "http://debian.org/debian/11"),
        OperatingSystem("debian_12", "Debian 12", Family.LINUX, "http://debian.org/debian/12"),
        OperatingSystem("ubuntu_20_04", "Ubuntu 20.04", Family.LINUX, "http://ubuntu.com/ubuntu/20.04"),
        OperatingSystem("ubuntu_22_04", "Ubuntu 22.04", Family.LINUX, "http://ubuntu.com/ubuntu/22.04"),
        OperatingSystem("ubuntu_24_04", "Ubuntu 24.04", Family.LINUX, "http://ubuntu.com/ubuntu/24.04"),
        OperatingSystem("rhel_7x64", "Red Hat Enterprise Linux 7", Family.LINUX, "http://redhat.com/rhel/7.9"),
        OperatingSystem("rhel_8x64", "Red Hat Enterprise Linux 8", Family.LINUX, "http://redhat.com/rhel/8.9"),
        OperatingSystem("rhel_9x64", "Red Hat Enterprise Linux 9", Family.LINUX, "http://redhat.com/rhel/9.3"),
        OperatingSystem("rhcos_x64", "Red Hat Enterprise Linux CoreOS", Family.LINUX),
        OperatingSystem("sles_15", "SUSE Linux Enterprise Server 15", Family.LINUX, "http://suse.com/sles/15"),
        OperatingSystem("freebsdx64", "FreeBSD", Family.OTHER, "http://freebsd.org/freebsd/13.2"),
        OperatingSystem("windows_10x64", "Windows 10", Family.WINDOWS, "http://microsoft.com/win/10"),
        OperatingSystem("windows_11", "Windows 11", Family.WINDOWS, "http://microsoft.com/win/11"),
        OperatingSystem("windows_2016x64", "Windows Server 2016", Family.WINDOWS, "http://microsoft.com/win/2k16"),
        OperatingSystem("windows_2019x64", "Windows Server 2019", Family.WINDOWS, "http://microsoft.com/win/2k19"),
        OperatingSystem("windows_2022", "Windows Server 2022", Family.WINDOWS, "http://microsoft.com/win/2k22"),
    )
}
