"""The one catalogue of sentences: what codes, keys and states of the domain are called when people read them."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from vms.domain.console import Frozen, NoConsole
from vms.domain.devices import DeviceKind
from vms.domain.errors import KINDS, Refusal
from vms.domain.guest import Source
from vms.domain.hosts import Ended
from vms.domain.lifecycle import Verb
from vms.models.hardware import DISCONNECT_ACTIONS
from vms.models.machines import AGENTS as _AGENTS
from vms.models.machines import STATUSES as _STATUSES

Text = str | Promise

REFUSALS: Final[dict[str, Text]] = {
    "ACTION_TYPE_FAILED_ILLEGAL_VM_DISPLAY_TYPE_IS_NOT_SUPPORTED_BY_OS": _(
        "The video type %(video)s does not go with the graphics protocol %(graphics)s in this cluster."
    ),
    "ACTION_TYPE_FAILED_ILLEGAL_VM_DISPLAY_TYPE_IS_NOT_SUPPORTED_BY_FIRMWARE": _(
        "The video type %(video)s does not go with this firmware; choose one of: %(offered)s."
    ),
    "ACTION_TYPE_FAILED_ILLEGAL_NUM_OF_MONITORS": _("The console cannot have %(monitors)s monitors."),
    "ACTION_TYPE_FAILED_ONLY_ONE_DEVICE_WITH_THIS_GRAPHICS_ALLOWED": _("There is a %(protocol)s console already."),
    "ACTION_TYPE_FAILED_GRAPHIC_TYPE_MUST_BE_SPECIFIED": _("A graphics protocol has to be named."),
    "VALIDATION_VM_INVALID_KEYBOARD_LAYOUT": _("There is no keyboard layout “%(layout)s”."),
    "GRAPHICS_CONSOLE_NOT_FOUND": _("There is no %(protocol)s console."),
    "NO_GRAPHICAL_CONSOLE": "%(no_console)s",
    "TICKET_ILLEGAL": _(
        "The password of a %(protocol)s console has 1 to %(length)s characters: letters, digits and signs of ASCII."
    ),
    "USER_CANNOT_FORCE_RECONNECT_TO_VM": _(
        "%(user)s is connected to the console of %(name)s. Your roles do not allow you to take it over."
    ),
    "CONSOLE_OUT_OF_REACH": _(
        "No way leads from here to the consoles of host %(host)s; a viewer that reaches the host opens them."
    ),
    "PUBLIC_KEY_ILLEGAL": _(
        "This is no public key that opens a console. It is one line of an OpenSSH .pub file, of one of these kinds: "
        "%(kinds)s; RSA has 2048 bits or more."
    ),
    "PUBLIC_KEY_IN_USE": _("This key stands for somebody already."),
    "NO_SERIAL_LOG": _("Nothing that the serial console of %(name)s said was written down."),
    "NO_SERIAL_CONSOLE": _("%(name)s has no serial console."),
    "CONSOLE_PASS_INVALID": _("This pass does not open the console: it has been used, has expired, or is another's."),
    "TOO_MANY_CONSOLES": _("There are %(limit)s consoles open already, and no more at once. Close one first."),
    "NO_HOST_OFFERS_GRAPHICS": _("No host of the cluster offers a graphical console; headless is possible."),
    "NO_HOST_OFFERS_PROTOCOL": _("No host of the cluster offers %(protocol)s."),
    "ILLEGAL_VALUE": _("“%(value)s” is not possible here. Allowed: %(allowed)s."),
    "ACTION_TYPE_FAILED_NAME_ALREADY_USED": _("This name is in use already."),
    "ACTION_TYPE_FAILED_INVALID_CHARACTERS_IN_NAME": _(
        "A name begins with a letter or digit, goes on with letters, digits, dots, hyphens and underscores, "
        "and has %(length)s characters at most."
    ),
    "ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL": _(
        "“%(verb)s” is not possible while the virtual machine is in status “%(status)s”."
    ),
    "ACTION_TYPE_FAILED_OBJECT_LOCKED": _("Another action is at work on it; try again when that is done."),
    "ACTION_TYPE_FAILED_DELETE_PROTECTION_ENABLED": _(
        "%(name)s is protected against deletion; switch Delete Protection off first."
    ),
    "ACTION_TYPE_FAILED_EDITED_MEANWHILE": _(
        "%(name)s was changed by somebody else while you edited it. Nothing was saved; open the form again."
    ),
    "ACTION_TYPE_FAILED_STILL_IN_USE": _("%(name)s is still in use by: %(users)s."),
    "ACTION_TYPE_FAILED_OBJECT_IS_BUILT_IN": _("%(name)s is built in and stays as it is."),
    "ACTION_TYPE_FAILED_VDS_VM_CLUSTER": _("No host in cluster %(cluster)s can run this virtual machine now."),
    "ACTION_TYPE_FAILED_VDS_VM_PINNED": _("None of the hosts that %(name)s may start on is in its cluster."),
    "ACTION_TYPE_FAILED_VDS_VM_LACKS": _("Host %(host)s has no %(lacking)s."),
    "ACTION_TYPE_FAILED_VDS_VM_MEMORY": _(
        "No host of the cluster has %(memory)s MiB left to guarantee; free memory or guarantee less."
    ),
    "ACTION_TYPE_FAILED_VM_IN_POOL": _("The virtual machine belongs to pool %(pool)s; change it there."),
    "ACTION_TYPE_FAILED_NO_AVAILABLE_POOL_VMS": _("Pool %(pool)s has no virtual machine left to take."),
    "VM_POOL_CANNOT_ATTACH_TO_MORE_VMS_FROM_POOL": _(
        "You have taken as many virtual machines of pool %(pool)s as one person may (%(limit)s); give one back first."
    ),
    "VM_POOL_CANNOT_DETACH_VM_NOT_ATTACHED_TO_POOL": _("%(name)s belongs to no pool."),
    "VM_POOL_CANNOT_REMOVE_RUNNING_VM_FROM_POOL": _("%(name)s can leave its pool only while it is down."),
    "VM_POOL_CANNOT_DECREASE_VMS_FROM_POOL": _(
        "Pool %(pool)s has %(size)s virtual machines and cannot shrink; detach single ones from it instead."
    ),
    "VM_POOL_CANNOT_CHANGE_POOL_TYPE": _("The type of pool %(pool)s was chosen when it was made and stays."),
    "VM_POOL_CANNOT_CHANGE_POOL_STATEFUL_OPTION": _(
        "Whether pool %(pool)s is stateful was chosen when it was made and stays."
    ),
    "TAGS_SPECIFIED_TAG_CANNOT_BE_THE_PARENT_OF_ITSELF": _("Tag %(name)s cannot be below itself."),
    "USER_NOT_AUTHORIZED_TO_PERFORM_ACTION": _("Your roles do not allow you to %(permit)s here."),
    "PERMISSION_ADD_FAILED_ONLY_SYSTEM_SUPER_USER_CAN_GIVE_ADMIN_ROLES": _(
        "%(role)s is an administrative role; giving or taking it takes one."
    ),
    "SYSTEM_NEEDS_AN_ADMINISTRATOR": _("Somebody who can give rights on the whole system has to stay."),
    "USER_CANNOT_REMOVE_HIMSELF": _("You cannot remove yourself."),
    "ACTION_TYPE_FAILED_VDS_WITH_SAME_UUID_EXIST": _("It is the host %(name)s by another address; remove one of them."),
    "ACTION_TYPE_FAILED_VDS_STATUS_ILLEGAL": _("%(name)s has to be in maintenance for that."),
    "ACTION_TYPE_FAILED_VDS_WITH_SAME_HOST_EXIST": _("%(name)s is a host with this address already."),
    "JOB_IS_NOT_EXTERNAL": _("“%(name)s” is a job of the engine; only the engine ends it."),
    "JOB_HAS_ENDED": _("“%(name)s” has ended already."),
    "ACTION_TYPE_FAILED_VM_NOT_FOUND": _("%(name)s is not there any more."),
    "VM_WOULD_BE_LOCKED_OUT": _(
        "Nobody could reach the machine: no graphical and no serial console, no guest agent, no address, no SSH key. "
        "Confirm that there is another way in, or add one."
    ),
    "LIST_PLACE_GONE": _("This address does not belong to this order of the list; here is its beginning."),
    "MANY_NONE": _("No virtual machine is chosen."),
    "MANY_TOO_MANY": _("At most %(limit)s virtual machines can be dealt with at once; narrow the search."),
    "MANY_OTHERS_MEANWHILE": _(
        "Meanwhile %(count)s virtual machines match instead of %(expected)s. Nothing was done; look again."
    ),
    "MANY_NOT_YOURS": _("Only the person who asked for it, or somebody who runs the whole system, can do this."),
    "MANY_CANCELLED": _("It was cancelled before its turn."),
    "MANY_ALL_FAILED": _("Not one of the %(count)s virtual machines could be dealt with."),
    "SEARCH_TOO_LONG": _("A search has %(limit)s characters at most."),
    "SEARCH_TOO_COMPLEX": _("A search has %(terms)s conditions at most, and %(depth)s levels of parentheses."),
    "SEARCH_CHARACTER_ILLEGAL": _("Character %(position)s of the search (%(word)s) cannot be searched for."),
    "SEARCH_QUOTE_OPEN": _("The quotation mark at character %(position)s is not closed."),
    "SEARCH_UNFINISHED": _("The search ends too early, after “%(word)s”. Possible here: %(possible)s."),
    "SEARCH_WORD_MISPLACED": _("“%(word)s” (character %(position)s) cannot stand there. Possible here: %(possible)s."),
    "SEARCH_OBJECT_OTHER": _("“%(word)s” is searched for elsewhere; here it is: %(possible)s."),
    "SEARCH_FIELD_UNKNOWN": _("There is no field “%(word)s” (character %(position)s). Possible here: %(possible)s."),
    "SEARCH_OPERATOR_ILLEGAL": _(
        "“%(of)s” cannot be compared with “%(word)s” (character %(position)s). Possible here: %(possible)s."
    ),
    "SEARCH_VALUE_ILLEGAL": _(
        "“%(word)s” (character %(position)s) is no value of “%(of)s”. Possible here: %(possible)s."
    ),
    "SEARCH_ORDER_UNKNOWN": _(
        "Rows cannot be sorted by “%(word)s” (character %(position)s). Possible here: %(possible)s."
    ),
    "CONSTRAINT_VIOLATED": _("The database refuses this combination (%(constraint)s)."),
    "HOST_NOT_RESPONDING": _("Host %(host)s does not respond."),
    "MACHINE_NOT_RESPONDING": _("%(name)s hangs: its QEMU does not respond. Power Off ends it."),
    "HYPERVISOR_PACKAGE_MISSING": _(
        "The hypervisor is not installed: the system package %(package)s is missing on the host."
    ),
    "HYPERVISOR_REFUSED": _("The hypervisor refused: %(message)s."),
    "GUEST_DID_NOT_REACT": _("The guest did not react in time. Power Off stops it without asking."),
    "BOOT_FILE_MISSING": _("The boot library has no file %(file)s."),
    "ENGINE_FAILED": _("The engine failed; its log tells why."),
    "ENGINE_NOT_RUNNING": _("The engine does not answer, and only it can reach the console. Try again in a moment."),
}

STATUSES: Final[dict[str, Text]] = dict(_STATUSES)

AGENTS: Final[dict[str, Text]] = dict(_AGENTS)
SOURCES: Final[dict[Source, Text]] = {
    Source.AGENT: _("Guest agent"),
    Source.LEASE: _("DHCP lease"),
    Source.ARP: _("ARP table of the host"),
}

VERBS: Final[dict[str, Text]] = {
    Verb.START: _("Run"),
    Verb.RUN_ONCE: _("Run Once"),
    Verb.RESUME: _("Resume"),
    Verb.SHUTDOWN: _("Shutdown"),
    Verb.STOP: _("Power Off"),
    Verb.REBOOT: _("Reboot"),
    Verb.RESET: _("Reset"),
    Verb.SUSPEND: _("Suspend"),
    Verb.EDIT: _("Edit"),
    Verb.REMOVE: _("Remove"),
    "console": _("Console"),
    "lock_screen": _("Lock the screen"),
    "logout": _("Log out"),
    "set_reboot": _("Prepare the next reboot"),
    "undefine": _("Remove from the host"),
    "headless": _("Make headless"),
    "graphical": _("Give a screen"),
    "attach_tag": _("Add a tag"),
    "detach_tag": _("Take a tag off"),
}

PERMITS: Final[dict[str, Text]] = {
    "create_vm": _("create virtual machines"),
    "create_instance": _("create virtual machines of an instance type"),
    "delete_vm": _("remove virtual machines"),
    "edit_vm_properties": _("edit virtual machines"),
    "edit_admin_vm_properties": _("choose the hosts of virtual machines"),
    "change_vm_custom_properties": _("change custom properties"),
    "run_vm": _("run virtual machines"),
    "stop_vm": _("power off virtual machines"),
    "shut_down_vm": _("shut down virtual machines"),
    "reboot_vm": _("reboot virtual machines"),
    "reset_vm": _("reset virtual machines"),
    "hibernate_vm": _("suspend virtual machines"),
    "connect_to_vm": _("open consoles"),
    "reconnect_to_vm": _("take over consoles"),
    "connect_to_serial_console": _("open serial consoles"),
    "create_template": _("create templates"),
    "edit_template_properties": _("edit templates"),
    "delete_template": _("remove templates"),
    "create_vm_pool": _("create pools"),
    "edit_vm_pool_configuration": _("edit pools"),
    "delete_vm_pool": _("remove pools"),
    "vm_pool_basic_operations": _("use pools"),
    "create_storage_pool": _("create data centers"),
    "edit_storage_pool_configuration": _("edit data centers"),
    "delete_storage_pool": _("remove data centers"),
    "create_cluster": _("create clusters"),
    "edit_cluster_configuration": _("edit clusters"),
    "delete_cluster": _("remove clusters"),
    "create_host": _("add hosts"),
    "edit_host_configuration": _("edit hosts"),
    "delete_host": _("remove hosts"),
    "manipulate_host": _("put hosts into maintenance"),
    "manipulate_permissions": _("change permissions"),
    "manipulate_users": _("add and remove people"),
    "inject_external_events": _("tell of events that happened elsewhere"),
    "inject_external_tasks": _("tell of jobs that are done elsewhere"),
    "tag_management": _("tag machines"),
    "bookmark_management": _("keep bookmarks"),
    "login": _("log in"),
}

# Phrases with which the domain says what `ILLEGAL_VALUE` would have allowed; ranges of numbers speak for themselves.
_ALLOWED: Final[dict[str, Text]] = {
    "a file name in the boot library": _("the name of a file in the boot library"),
    "nothing without a kernel": _("nothing without a kernel"),
    "one line of printable text": _("one line of printable text"),
    "a shorter text": _("a shorter text"),
    "an address like qemu+ssh://root@host/system": _("an address like qemu+ssh://root@host/system"),
    "any text": _("any text"),
    "one object at most": _("one object at most"),
    "each device once, at least one": _("each device once, and one at least"),
    "a serial number with the policy custom, and only with it": _(
        "a serial number with the policy “Custom serial number”, and only with it"
    ),
    "64 letters, digits, blanks and . _ : / - at most": _("64 letters, digits, blanks and . _ : / - at most"),
    "nothing without bytes": _("nothing without a number of bytes"),
    "one of the names that hosts tell": _("one of the names that the hosts tell"),
    "a name like Europe/Berlin": _("a name like Europe/Berlin"),
    "an address like http://proxy:3128": _("an address like http://proxy:3128"),
    "text that can be written": _("text that can be written"),
    "pools only": _("pools only"),
    "a field or a word": _("a field or a word"),
    "a value": _("a value"),
    "a number": _("a number"),
    "the name of the first version": _("the name that its first version has"),
}

# Form field → label; oVirt's words where it has the field.
FIELDS: Final[dict[str, Text]] = {
    "name": _("Name"),
    "username": _("User name"),
    "password": _("Password"),
    "role": _("Role"),
    "data_center": _("Data Center"),
    "level": _("Compatibility Version"),
    "uri": _("Address"),
    "severity": _("Severity"),
    "description": _("Description"),
    "comment": _("Comment"),
    "delete_protected": _("Delete Protection"),
    "os": _("Operating System"),
    "maximum_memory": _("Maximum Memory (MiB)"),
    "guaranteed_memory": _("Physical Memory Guaranteed (MiB)"),
    "cpu_model": _("Custom CPU"),
    "emulated_machine": _("Custom Emulated Machine"),
    "time_zone": _("Hardware Clock Time Offset"),
    "serial_policy": _("Serial Number Policy"),
    "serial_value": _("Custom Serial Number"),
    "boot_devices": _("Boot Sequence"),
    "boot_menu": _("Enable menu to select boot device"),
    "cd": _("Attach CD"),
    "hosts": _("Start Running On"),
    "migration": _("Migration Mode"),
    "high_availability": _("Highly Available"),
    "priority": _("Priority"),
    "watchdog_action": _("Watchdog Action"),
    "cpu_shares": _("CPU Shares"),
    "ballooning": _("Memory Ballooning"),
    "io_threads": _("I/O Threads"),
    "rng_source": _("Random Generator"),
    "rng_bytes": _("Bytes per Period"),
    "rng_period": _("Period (ms)"),
    "custom_properties": _("Custom Properties"),
    "disconnect_action": _("Console Disconnect Action"),
    "disconnect_delay": _("Disconnect Action Delay in Minutes"),
    "allow_reconnect": _("Disable strict user checking"),
    "sso": _("Single Sign On method"),
    "spice_proxy": _("Overridden SPICE proxy address"),
    "cluster": _("Cluster"),
    "template": _("Template"),
    "instance_type": _("Instance Type"),
    "version_name": _("Version Name"),
    "size": _("Number of VMs"),
    "stateless": _("Stateless"),
    "override_proxy": _("Override SPICE proxy"),
    "accept_lockout": _("There is another way in, or none is needed"),
    "base": _("Create as a Sub-Version of"),
    "pool_type": _("Pool Type"),
    "stateful": _("Stateful Pool"),
    "max_user_vms": _("Maximum number of VMs per user"),
    "use_latest_version": _("Latest template version"),
    "apply_to_existing": _("Apply to the existing VMs, too"),
    "memory": _("Memory Size (MiB)"),
    "sockets": _("Virtual Sockets"),
    "cores": _("Cores per Virtual Socket"),
    "threads": _("Threads per Core"),
    "vm_type": _("Optimized for"),
    "firmware": _("Chipset/Firmware Type"),
    "kernel": _("Kernel Path"),
    "initrd": _("Initrd Path"),
    "parameters": _("Kernel Parameters"),
    "start_paused": _("Start in Pause Mode"),
    "headless": _("Headless Mode"),
    "protocol": _("Graphics Protocol"),
    "video_type": _("Video Type"),
    "keyboard": _("VNC Keyboard Layout"),
    "monitors": _("Monitors"),
    "usb": _("USB Enabled"),
    "smartcard": _("Smartcard Enabled"),
    "sound": _("Soundcard Enabled"),
    "file_transfer": _("Enable SPICE File Transfer"),
    "copy_paste": _("Enable SPICE Clipboard Copy and Paste"),
    "serial": _("Enable VirtIO Serial Console"),
    "console": _("Console"),
    "value": _("Password"),
    "expiry": _("Validity (seconds)"),
    "volatile": _("Rollback this configuration during reboots"),
}

# Key of `MachineSpec.shape()` → the name under which a pending change is listed (oVirt: NextRunFieldMessages).
CHANGES: Final[dict[str, Text]] = {
    "name": _("Name"),
    "memory": _("Memory Size"),
    "cpu": _("CPU Topology"),
    "vm_type": _("Optimized for"),
    "firmware": _("Chipset/Firmware Type"),
    "kernel": _("Kernel Path"),
    "initrd": _("Initrd Path"),
    "parameters": _("Kernel Parameters"),
    "headless": _("Headless Mode"),
    "video_type": _("Video Type"),
    "graphics_protocol": _("Graphics Protocol"),
    "keyboard": _("VNC Keyboard Layout"),
    "monitors": _("Number of Monitors"),
    "usb": _("USB Policy"),
    "smartcard": _("Smartcard"),
    "sound": _("Sound Card"),
    "file_transfer": _("SPICE File Transfer"),
    "copy_paste": _("SPICE Clipboard Copy and Paste"),
    "serial": _("Serial Console"),
    "os": _("Operating System"),
    "maximum_memory": _("Maximum Memory"),
    "cpu_model": _("Custom CPU"),
    "emulated_machine": _("Custom Emulated Machine"),
    "time_zone": _("Hardware Clock Time Offset"),
    "serial_number": _("Serial Number"),
    "boot_devices": _("Boot Sequence"),
    "boot_menu": _("Boot Menu"),
    "cd": _("CD"),
    "sso": _("Single Sign On Method"),
    "watchdog": _("Watchdog"),
    "cpu_shares": _("CPU Shares"),
    "ballooning": _("Memory Ballooning"),
    "io_threads": _("I/O Threads"),
    "rng": _("Random Generator"),
    "custom_properties": _("Custom Properties"),
}

FROZEN: Final[dict[Frozen, Text]] = {
    Frozen.HEADLESS: _("Not used while Headless Mode is on."),
    Frozen.NEEDS_VNC: _("Used with VNC only."),
    Frozen.NEEDS_SPICE: _("Used with SPICE only."),
    Frozen.NEEDS_SHUTDOWN: _("Used with “Shutdown virtual machine” only."),
    Frozen.NEEDS_SPICE_AND_QXL: _("More than one monitor takes SPICE alone and the video type QXL."),
}

NO_CONSOLE: Final[dict[NoConsole, Text]] = {
    NoConsole.HEADLESS: _("This virtual machine is headless: it has no graphical console."),
    NoConsole.HEADLESS_THIS_RUN: _("This virtual machine runs headless until it is shut down."),
    NoConsole.NOT_RUNNING: _("The virtual machine is not running; its graphical console opens when it is."),
    NoConsole.RESTART_NEEDED: _("The virtual machine runs headless; it gets its graphical console with a restart."),
}

ENDED: Final[dict[Ended, Text]] = {
    Ended.GUEST: _("powered off by its guest"),
    Ended.REBOOT: _("ended by a reboot"),
    Ended.STOPPED: _("powered off"),
    Ended.CRASHED: _("crashed"),
    Ended.SAVED: _("suspended"),
    Ended.UNKNOWN: _("ended, nobody saw how"),
}

DEVICES: Final[dict[DeviceKind, Text]] = {
    DeviceKind.GRAPHICS: _("Graphics"),
    DeviceKind.VIDEO: _("Video"),
    DeviceKind.CONSOLE: _("Console"),
    DeviceKind.CONTROLLER: _("Controller"),
    DeviceKind.REDIR: _("USB Redirection"),
    DeviceKind.SMARTCARD: _("Smartcard"),
    DeviceKind.SOUND: _("Sound"),
    DeviceKind.CHANNEL: _("Channel"),
    DeviceKind.INPUT: _("Input"),
    DeviceKind.INTERFACE: _("Interface"),
    DeviceKind.BALLOON: _("Balloon"),
    DeviceKind.DISK: _("Disk"),
    DeviceKind.WATCHDOG: _("Watchdog"),
    DeviceKind.RNG: _("Random Generator"),
}

# Audit code → sentence; `entity` and `actor` are always there, the event's own parameters besides.
EVENTS: Final[dict[str, Text]] = {
    "USER_ADD_VM": _("%(entity)s was created by %(actor)s."),
    "USER_ADD_VM_TEMPLATE": _("Template %(entity)s was created by %(actor)s."),
    "USER_ADD_INSTANCE_TYPE": _("Instance type %(entity)s was created by %(actor)s."),
    "USER_ADD_VM_POOL": _("Pool %(entity)s was created by %(actor)s."),
    "USER_UPDATE_VM": _("The configuration of %(entity)s was changed by %(actor)s."),
    "USER_UPDATE_VM_TEMPLATE": _("Template %(entity)s was changed by %(actor)s."),
    "USER_UPDATE_INSTANCE_TYPE": _("Instance type %(entity)s was changed by %(actor)s."),
    "USER_UPDATE_VM_POOL": _("Pool %(entity)s was changed by %(actor)s."),
    "USER_UPDATE_VM_POOL_WITH_VMS": _("%(actor)s added %(count)s virtual machines to pool %(entity)s."),
    "USER_ATTACH_USER_TO_VM_FROM_POOL": _("%(user)s took %(entity)s from pool %(pool)s."),
    "USER_DETACH_USER_FROM_VM": _("%(entity)s went back to pool %(pool)s, from %(user)s."),
    "USER_REMOVE_VM_FROM_POOL": _("%(actor)s detached %(entity)s from pool %(pool)s."),
    "VM_STAYS_WITH_TEMPLATE_VERSION": _("%(entity)s cannot follow template version %(version)s. %(reason)s"),
    "USER_REMOVE_VM_FINISHED": _("%(entity)s was removed by %(actor)s."),
    "USER_REMOVE_VM_TEMPLATE": _("Template %(entity)s was removed by %(actor)s."),
    "USER_REMOVE_INSTANCE_TYPE": _("Instance type %(entity)s was removed by %(actor)s."),
    "USER_REMOVE_VM_POOL": _("Pool %(entity)s was removed by %(actor)s."),
    "USER_STARTED_VM": _("%(actor)s started %(entity)s (%(verb)s)."),
    "USER_RESUME_VM": _("%(actor)s resumed %(entity)s."),
    "USER_INITIATED_SHUTDOWN_VM": _("%(actor)s asked %(entity)s to shut down."),
    "USER_STOP_VM": _("%(actor)s powered %(entity)s off."),
    "USER_REBOOT_VM": _("%(actor)s rebooted %(entity)s."),
    "USER_RESET_VM": _("%(actor)s reset %(entity)s."),
    "USER_SUSPEND_VM": _("%(actor)s suspended %(entity)s."),
    "VM_LOCKED_OUT": _(
        "%(entity)s has no known way in: neither a graphical nor a serial console, nor anything in it that has ever "
        "answered. %(actor)s accepted that."
    ),
    "USER_ASKED_FOR_MANY": _("%(actor)s asked for “%(verb)s” for %(entity)s virtual machines."),
    "USER_CANCELLED_MANY": _("%(actor)s cancelled “%(verb)s” for %(entity)s virtual machines."),
    "MANY_DONE": _("“%(verb)s” for %(entity)s virtual machines is done; refused: %(failed)s."),
    "USER_ADD_TAG": _("Tag %(entity)s was created by %(actor)s."),
    "USER_UPDATE_TAG": _("Tag %(entity)s was changed by %(actor)s."),
    "USER_REMOVE_TAG": _("Tag %(entity)s was removed by %(actor)s."),
    "USER_ATTACH_TAG_TO_VM": _("%(actor)s put tag %(tag)s on %(entity)s."),
    "USER_DETACH_VM_FROM_TAG": _("%(actor)s took tag %(tag)s off %(entity)s."),
    "USER_ATTACH_TAG_TO_TEMPLATE": _("%(actor)s put tag %(tag)s on template %(entity)s."),
    "USER_DETACH_TEMPLATE_FROM_TAG": _("%(actor)s took tag %(tag)s off template %(entity)s."),
    "USER_ADD_BOOKMARK": _("Bookmark %(entity)s was created by %(actor)s."),
    "USER_UPDATE_BOOKMARK": _("Bookmark %(entity)s was changed by %(actor)s."),
    "USER_REMOVE_BOOKMARK": _("Bookmark %(entity)s was removed by %(actor)s."),
    "VM_CONSOLE_CONNECTED": _("%(actor)s is connected to the console of %(entity)s (%(console)s)."),
    "VM_CONSOLE_DISCONNECTED": _("%(actor)s has left the console of %(entity)s (%(console)s)."),
    "USER_ADD_SSH_KEY": _("%(actor)s added the SSH key %(fingerprint)s."),
    "USER_REMOVE_SSH_KEY": _("%(actor)s removed the SSH key %(fingerprint)s."),
    "VM_SET_TICKET": _("%(actor)s has a password for the %(protocol)s console of %(entity)s."),
    "USER_VDC_LOGIN": _("%(entity)s logged in."),
    "USER_VDC_LOGOUT": _("%(entity)s logged out."),
    "VM_DOWN": _("%(entity)s is down: %(ended)s."),
    "HA_VM_FAILED": _("Highly available %(entity)s failed; it is started again."),
    "EXCEEDED_MAXIMUM_NUM_OF_RESTART_HA_VM_ATTEMPTS": _(
        "Highly available %(entity)s failed %(tries)s times in a short time; it stays down until somebody looks."
    ),
    "VM_CONSOLE_LEFT": _("The console of %(entity)s was left: %(done)s. %(reason)s"),
    "VM_DOWN_ERROR": _("%(entity)s is down with an error: %(ended)s."),
    "USER_ADD_STORAGE_POOL": _("Data center %(entity)s was created by %(actor)s."),
    "USER_UPDATE_STORAGE_POOL": _("Data center %(entity)s was changed by %(actor)s."),
    "USER_REMOVE_STORAGE_POOL": _("Data center %(entity)s was removed by %(actor)s."),
    "USER_ADD_CLUSTER": _("Cluster %(entity)s was created by %(actor)s."),
    "USER_UPDATE_CLUSTER": _("Cluster %(entity)s was changed by %(actor)s."),
    "USER_REMOVE_CLUSTER": _("Cluster %(entity)s was removed by %(actor)s."),
    "USER_ADD_VDS": _("Host %(entity)s was added by %(actor)s."),
    "USER_UPDATE_VDS": _("Host %(entity)s was changed by %(actor)s."),
    "USER_REMOVE_VDS": _("Host %(entity)s was removed by %(actor)s."),
    "USER_VDS_MAINTENANCE": _("Host %(entity)s was put into maintenance by %(actor)s."),
    "USER_VDS_ACTIVATE": _("Host %(entity)s was activated by %(actor)s."),
    "USER_ADD": _("%(entity)s was added as a user by %(actor)s."),
    "USER_UPDATE": _("User %(entity)s was changed by %(actor)s."),
    "USER_REMOVE_ADUSER": _("User %(entity)s was removed by %(actor)s."),
    "USER_ADD_PERMISSION": _("%(actor)s gave %(user)s the role %(role)s on %(entity)s."),
    "USER_ADD_SYSTEM_PERMISSION": _("%(actor)s gave %(entity)s the role %(role)s on the whole system."),
    "USER_REMOVE_PERMISSION": _("%(actor)s took the role %(role)s on %(entity)s from %(user)s."),
    "USER_REMOVE_SYSTEM_PERMISSION": _("%(actor)s took the role %(role)s on the whole system from %(entity)s."),
    "EXTERNAL_EVENT_NORMAL": "%(text)s",
    "EXTERNAL_EVENT_WARNING": "%(text)s",
    "EXTERNAL_EVENT_ERROR": "%(text)s",
    "EXTERNAL_EVENT_ALERT": "%(text)s",
    "VDS_DETECTED": _("Host %(entity)s responds."),
    "VDS_FAILURE": _("Host %(entity)s was lost. %(reason)s"),
}
_FAILED: Final = _("%(verb)s of %(entity)s failed. %(reason)s")

# How a console is opened, as events tell it.
CONSOLES: Final[dict[str, Text]] = {
    "vnc": _("VNC in a browser"),
    "spice": _("SPICE in a browser"),
    "serial": _("serial line"),
    "viewer": _("a viewer"),
}

# What an audit event calls otherwise than the lists above.
_AUDITED: Final[dict[str, Text]] = {"graphics": CHANGES["graphics_protocol"], "video": CHANGES["video_type"]}


class _Params(dict[str, Any]):
    """Parameters of a sentence; one that a caller did not give shows as an ellipsis, not as an error page."""

    def __missing__(self, key: str) -> str:
        return "…"


_SPOKEN: Final[dict[str, Mapping[str, Text]]] = {
    "verb": VERBS,
    "status": STATUSES,
    "permit": PERMITS,
    "allowed": _ALLOWED,
    "ended": {ended.value: text for ended, text in ENDED.items()},
    "done": dict(DISCONNECT_ACTIONS),
    "console": CONSOLES,
    "no_console": {reason.value: text for reason, text in NO_CONSOLE.items()},
}


def verb(word: str) -> Text:
    """What a verb is called, whether it is for one machine or for many."""
    return VERBS.get(word.removeprefix("many_"), word)


def refusal(no: Refusal) -> str:
    """The sentence that a refusal is told with."""
    return sentence(no.code, no.params)


def job_error(error: Mapping[str, Any] | None) -> str:
    """The sentence for what a job or a host keeps as its error, `{"code", "params"}`; empty for none."""
    return sentence(error["code"], error.get("params") or {}) if error else ""


def sentence(code: str, params: Mapping[str, Any]) -> str:
    """The sentence of a refusal code, its parameters in people's words."""
    return str(REFUSALS[code if code in KINDS else "ENGINE_FAILED"]) % _spoken(params)


def event(code: str, *, entity: str, actor: str, params: Mapping[str, Any]) -> str:
    """The sentence of an audit event; one that this version does not know is told by its code."""
    told = _spoken({**params, "entity": entity, "actor": actor})
    failed = code.startswith("USER_FAILED_") and code.endswith("_VM")
    told["reason"] = job_error(_error_of(params))
    if failed:
        told["verb"] = VERBS.get(code.removeprefix("USER_FAILED_").removesuffix("_VM").lower(), code)
        return (str(_FAILED) % told).strip()
    return (str(EVENTS[code]) % told).strip() if code in EVENTS else f"{code} {entity}"


def field(name: str) -> Text:
    """The label of a form's field; a custom property is called by its own name."""
    return FIELDS.get(name) or name.removeprefix("property_")


def audited_field(key: str) -> Text:
    """The name of a field in `before` and `after` of an audit event (`console.wants_usb` → USB Policy)."""
    name = key.rpartition(".")[2].removeprefix("wants_")
    return _AUDITED.get(name) or CHANGES.get(name) or FIELDS.get(name, key)


def _error_of(params: Mapping[str, Any]) -> Mapping[str, Any] | None:
    code = params.get("code") or params.get("reason")
    return {"code": code, "params": params.get("params") or {}} if code else None


def _spoken(params: Mapping[str, Any]) -> _Params:
    return _Params({key: _told(key, value) for key, value in params.items()})


def _told(key: str, value: object) -> object:
    if isinstance(value, tuple):  # what would be possible, each by itself
        return ", ".join(str(_ALLOWED.get(each, each)) for each in value)
    return _SPOKEN.get(key, {}).get(str(value), value)
