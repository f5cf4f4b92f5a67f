"""The dialogs as data: tabs with their sections, what the basic view shows, and which field draws what anew."""

from typing import Final

from django.utils.translation import gettext_lazy as _

from vms.messages import Text

from .cards import CARDS
from .console import CONSOLE_FIELDS, OF_SERIAL
from .parts import CPU, PROPERTY_FIELDS

# Key, label, and sections: each a heading with its fields. A kind of machine shows those that it has.
Layout = tuple[tuple[str, Text, tuple[tuple[Text, tuple[str, ...]], ...]], ...]

FIRST_BOOT: Final = tuple(
    f"initialization_{word}"
    for word in (
        *("user_name", "root_password", "authorized_ssh_keys", "host_name", "timezone"),
        *("dns_servers", "dns_search", "nic_configurations", "prepare_headless", "custom_script"),
    )
)

LAYOUT: Final[Layout] = (
    (
        "general",
        _("General"),
        (
            ("", ("base", "name", "version_name", "description", "comment", "size")),
            ("", ("cluster", "template", "use_latest_version", "instance_type", "os", "vm_type")),
            (_("Disk"), ("disk_size", "disk_domain", "disk_interface")),
            (_("Network"), CARDS),
            ("", ("stateless", "start_paused", "delete_protected", "apply_to_existing")),
        ),
    ),
    (
        "system",
        _("System"),
        (
            ("", ("memory", "maximum_memory", "guaranteed_memory")),
            ("", (*CPU, "cpu_model", "emulated_machine")),
            ("", ("firmware", "tpm")),
            ("", ("time_zone", "serial_policy", "serial_value")),
        ),
    ),
    (
        "initial",
        _("Initial Run"),
        (
            (_("Log-in"), FIRST_BOOT[:3]),
            (_("Name and Time"), FIRST_BOOT[3:5]),
            (_("Networks"), FIRST_BOOT[5:8]),
            (_("More"), FIRST_BOOT[8:]),
        ),
    ),
    ("type", _("Type"), (("", ("pool_type", "stateful", "max_user_vms", "prestarted_vms")),)),
    (
        "console",
        _("Console"),
        (
            (_("Graphical Console"), tuple(name for name in CONSOLE_FIELDS if name not in OF_SERIAL)),
            (_("Serial Console"), OF_SERIAL),
            (_("Access"), ("accept_lockout",)),
        ),
    ),
    ("host", _("Host"), (("", ("hosts", "migration")),)),
    ("availability", _("High Availability"), (("", ("high_availability", "priority", "watchdog_action")),)),
    ("resources", _("Resource Allocation"), (("", ("cpu_shares", "ballooning", "io_threads")), ("", ("allocation",)))),
    ("boot", _("Boot"), (("", ("boot_devices", "boot_menu", "cd")), ("", ("kernel", "initrd", "parameters")))),
    ("random", _("Random Generator"), (("", ("rng_source", "rng_bytes", "rng_period")),)),
    ("properties", _("Custom Properties"), (("", PROPERTY_FIELDS),)),
)

# What the basic view shows; headless and the serial console are never hidden behind the advanced one.
BASIC: Final = frozenset(
    {
        *(
            "base",
            "name",
            "version_name",
            "description",
            "size",
            "cluster",
            "template",
            "instance_type",
            "os",
            "vm_type",
        ),
        *("disk_size", "disk_domain", *CARDS),
        *("vm_type", "memory", "sockets", "headless", "serial", "accept_lockout"),
    }
)

# A change there draws everything anew, since everything may be inherited otherwise; or the Console tab, where it
# decides what makes sense. Any other field only says anew where its value comes from and what it makes of the machine.
REDRAWS_ALL: Final = frozenset({"base", "cluster", "template", "instance_type", "vm_type", "firmware", *CARDS})
REDRAWS_CONSOLE: Final = frozenset(
    {"headless", "protocol", "video_type", "disconnect_action", "override_proxy", "usb", "serial"}
)
