"""Ten domains that somebody else could have defined, each of another shape."""

from uuid import UUID, uuid5

SPACE = UUID("6f4f9bd0-1111-4222-8333-944444444444")

_VNC = "<graphics type='vnc' port='-1' autoport='yes'/>"
_SPICE = "<graphics type='spice' port='-1' autoport='yes'/>"
_SERIAL = "<serial type='pty'><target port='0'/></serial>"


def _card(model: str) -> str:
    return f"<video><model type='{model}'/></video>"


# Name → what is in its devices; what is odd about it; whether it is headless.
SHAPES: dict[str, tuple[str, set[str], bool]] = {
    "plain": (_VNC + _card("vga") + _SERIAL, set(), False),
    "bare": (_SERIAL, set(), True),
    "with-no-card": (_VNC + _card("none"), {"graphics_without_video"}, False),
    "card-alone": (_card("virtio"), {"video_without_graphics"}, True),
    "two-cards": (_VNC + _card("qxl") + _card("qxl"), {"several_videos"}, False),
    "vmware-card": (_VNC + _card("vmvga"), {"other_video"}, False),
    "spicy": (
        _SPICE
        + _card("qxl")
        + "<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>"
        + "<redirdev bus='usb' type='spicevmc'/><sound model='ich6'/>",
        set(),
        False,
    ),
    "both": (_SPICE + _VNC + _card("qxl"), set(), False),
    "on-a-bus": (
        _SERIAL + "<interface type='user'><mac address='52:54:00:aa:bb:cc'/><model type='e1000'/></interface>"
        "<controller type='scsi' model='virtio-scsi'/><input type='tablet' bus='usb'/><watchdog model='i6300esb'/>",
        set(),
        True,
    ),
    "a name, with (signs)": (_SERIAL, {"other_name"}, True),
}


def xml_of(name: str, *, kernel: str = "") -> str:
    """The definition as its owner would write it."""
    devices, _odd, _headless = SHAPES[name]
    boot = f"<kernel>{kernel}</kernel>" if kernel else ""
    return (
        f"<domain type='qemu'><name>{name}</name><uuid>{uuid5(SPACE, name)}</uuid>"
        "<title>Somebody's own</title><description>Not to be touched</description>"
        "<memory unit='MiB'>96</memory><vcpu>2</vcpu>"
        f"<os><type arch='x86_64' machine='q35'>hvm</type>{boot}</os>"
        "<features><acpi/><apic/><pae/></features><clock offset='localtime'><timer name='hpet' present='no'/></clock>"
        f"<on_crash>preserve</on_crash><devices>{devices}</devices></domain>"
    )
