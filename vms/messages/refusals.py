"""Why something is refused, by the code of the refusal, and what would have been right."""

from typing import Final

from django.utils.translation import gettext_lazy as _

from .text import Text

REFUSALS: Final[dict[str, Text]] = {
    "FLEET_NOTHING_TO_UNDO": _("The run has changed nothing here."),
    "FLEET_CHANGED_SINCE": _("%(name)s has got another console since; it stays as it is."),
    "GUEST_AGENT_SILENT": _("The guest agent does not answer."),
    "GUEST_AGENT_FORBIDS": _(
        "The guest agent runs no programs: its configuration (/etc/sysconfig/qemu-ga or /etc/qemu/qemu-ga.conf) "
        "forbids guest-exec. Allow guest-exec and guest-exec-status there, restart the agent, and try again."
    ),
    "GUEST_AGENT_ANSWER_ILLEGAL": _("What the guest agent answers makes no sense: %(message)s"),
    "GUEST_PROGRAM_HANGS": _("A program in the guest has not ended within %(seconds)s seconds; it may still run."),
    "PREPARE_NOT_LINUX": _("The guest is no Linux with a shell; only Linux guests can be prepared. %(message)s"),
    "PREPARE_NO_GRUB": _("The guest does not boot with GRUB; nothing in it was changed."),
    "PREPARE_READ_ONLY": _("The guest's files cannot be written: %(message)s. Nothing in it was changed."),
    "PREPARE_GENERATOR_FAILED": _(
        "GRUB's own program failed in the guest, and everything is as it was before. It said: %(message)s"
    ),
    "PREPARE_NOTHING_KEPT": _("There is nothing to undo: no copy of what was before is there."),
    "PREPARE_ENCRYPTED": _(
        "The guest's disk is encrypted: with each boot somebody has to type its passphrase, on the serial console from "
        "then on. Prepare it by itself, so that you are asked."
    ),
    "PREPARE_STATELESS": _(
        "%(name)s is stateless: what is changed in its guest is lost when its run ends. Prepare the machine that its "
        "template is made of."
    ),
    "PREPARE_UNDER_WAY": _("It is being prepared already."),
    "PREPARE_NOT_NOW": _("It is not waiting for that any more."),
    "PREPARE_POWER_OFF_FIRST": _(
        "%(name)s runs, but its guest agent does not answer. It would have to be powered off, to be run once with VNC."
    ),
    "PREPARE_RUN_ENDED": _("The virtual machine went down before it was through."),
    "PREPARE_AGENT_MISSING": _(
        "No guest agent has answered. Install it in the guest (package qemu-guest-agent) and try again."
    ),
    "PREPARE_LOGIN_NOT_SEEN": _(
        "The guest was started, but no log-in prompt has stood on its serial line. The serial log shows how far it "
        "came."
    ),
    "PREPARE_BOOT_STUCK": _("The guest was started headless, but does not come up: %(finding)s."),
    "PREPARE_MUST_BE_OFF": _(
        "%(name)s has to be off before its disks are looked into or written to, and is “%(status)s”."
    ),
    "OFFLINE_UNAVAILABLE": "%(no_offline)s",
    "OFFLINE_DISK_IN_USE": _("Another program has a disk of it open, on this host or another one."),
    "OFFLINE_READ_ONLY": _("It starts from the disk %(name)s, which it may only read or shares with others."),
    "OFFLINE_ENCRYPTED": _(
        "The system lies on an encrypted disk, which nobody but the running guest can open. Prepare it by its guest "
        "agent while it runs."
    ),
    "OFFLINE_HIBERNATED": _(
        "The guest has put itself to sleep (hibernated): it would wake up to files that are not as it left them. Run "
        "it once, and shut it down."
    ),
    "OFFLINE_FILE_SYSTEM": _(
        "The guest's file system on %(device)s has to be checked first: %(message)s. Run the guest once with a screen, "
        "or check it from a rescue CD. Nothing on the disks was changed."
    ),
    "OFFLINE_NOT_LINUX": _("There is no Linux on its disks; only Linux guests can be prepared. %(message)s"),
    "OFFLINE_SEVERAL": _(
        "There are %(number)s Linux systems on its disks; which one starts is not known here. Prepare it by its guest "
        "agent while it runs."
    ),
    "OFFLINE_HANGS": _(
        "Its disks were looked into for %(seconds)s seconds without an end. Nothing on them was changed; try again "
        "when the host has less to do."
    ),
    "OFFLINE_FAILED": _("Its disks cannot be looked into: %(message)s"),
    "ACTION_TYPE_FAILED_ILLEGAL_VM_DISPLAY_TYPE_IS_NOT_SUPPORTED_BY_OS": _(
        "The video type %(video)s does not go with the graphics protocol %(graphics)s in this cluster."
    ),
    "ACTION_TYPE_FAILED_ILLEGAL_VM_DISPLAY_TYPE_IS_NOT_SUPPORTED_BY_FIRMWARE": _(
        "The video type %(video)s does not go with this firmware; choose one of: %(offered)s."
    ),
    "TPM_DEVICE_REQUESTED_ON_NON_UEFI": _(
        "A TPM needs UEFI: choose a chipset with UEFI or SecureBoot, or leave the TPM out."
    ),
    "TPM_ON_ANOTHER_HOST": _(
        "What the TPM of %(name)s keeps is on host %(host)s alone, which cannot take it now: activate that host, or "
        "take the TPM out."
    ),
    "TPM_DEVICE_REQUESTED_ON_UNSUPPORTED_PLATFORM": _(
        "No host of cluster %(cluster)s makes a TPM: install swtpm and swtpm-tools on one and restart its libvirt."
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
    "ACTION_TYPE_FAILED_CANNOT_SCREENSHOT_HEADLESS_VM": _(
        "%(name)s is headless: there is no screen to take a picture of. What it says is on its serial console."
    ),
    "NO_SCREENSHOT": _("There is no screenshot of the present run of %(name)s."),
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
    "ACTION_TYPE_FAILED_HOST_TOO_SMALL": _(
        "Host %(host)s has %(left)s MiB left to guarantee; the machine takes %(memory)s MiB."
    ),
    "ACTION_TYPE_FAILED_DISK_ON_LOCAL_STORAGE": _(
        "Disk %(disk)s lies on storage %(storage)s, which host %(host)s alone has."
    ),
    "ACTION_TYPE_FAILED_HOST_NOT_CHOSEN": _("Host %(host)s is none of those that the machine may run on."),
    "ACTION_TYPE_FAILED_MIGRATION_TO_SAME_HOST": _("The machine runs on host %(host)s already."),
    "ACTION_TYPE_FAILED_VM_IS_PINNED_TO_HOST": _(
        "%(name)s does not allow migration; its Migration mode says so (Edit, tab Host)."
    ),
    "ACTION_TYPE_FAILED_VM_IS_NON_MIGRTABLE_AND_IS_NOT_FORCED_BY_USER_TO_MIGRATE": _(
        "%(name)s is moved by hand alone; its Migration mode says so (Edit, tab Host)."
    ),
    "ACTION_TYPE_FAILED_HOST_OTHER_CLUSTER": _("Host %(host)s belongs to another cluster."),
    "ACTION_TYPE_FAILED_HOST_OTHER_ACCELERATOR": _(
        "Host %(host)s runs machines by %(there)s, this machine's by %(here)s: no live migration leads from one to "
        "the other."
    ),
    "ACTION_TYPE_FAILED_VDS_IN_MAINTENANCE": _("Host %(host)s is in maintenance."),
    "ACTION_TYPE_FAILED_NO_HOST_TO_MOVE_TO": _("There is no other host in cluster %(cluster)s."),
    "ACTION_TYPE_FAILED_VM_NOT_MIGRATING": _("%(name)s is not migrating."),
    "VDS_CANNOT_MAINTENANCE_VMS_STAY": _("%(vm)s cannot leave host %(host)s. %(reason)s"),
    "ACTION_TYPE_FAILED_VDS_VM_AFFINITY": _("Affinity leaves no host for %(name)s at present. %(reasons)s"),
    "AFFINITY_FAILED_POSITIVE": _(
        "Not on host %(host)s: affinity group %(group)s keeps it together with %(vms)s on host %(there)s."
    ),
    "AFFINITY_FAILED_NEGATIVE": _(
        "Not on host %(host)s: affinity group %(group)s keeps it apart from %(vms)s, running there."
    ),
    "AFFINITY_FAILED_HOSTS_POSITIVE": _(
        "Not on host %(host)s: affinity group %(group)s ties it to other hosts (%(hosts)s)."
    ),
    "AFFINITY_FAILED_HOSTS_NEGATIVE": _("Not on host %(host)s: affinity group %(group)s keeps it away from there."),
    "AFFINITY_FAILED_LABEL": _(
        "Not on host %(host)s: affinity label %(group)s ties it to the hosts that have it (%(hosts)s)."
    ),
    "AFFINITY_FAILED_COMPANION": _(
        "Not on host %(host)s: %(vms)s has to run where it runs, and affinity group %(group)s keeps that away."
    ),
    "AFFINITY_RULES_TEAR_APART": _(
        "Affinity groups %(groups)s contradict each other: they want %(vms)s both together and apart."
    ),
    "AFFINITY_RULES_LEAVE_NO_HOST": _("Affinity groups %(groups)s contradict each other: no host is left for %(vms)s."),
    "AFFINITY_IS_KEPT": _("%(name)s breaks no affinity rule where it runs."),
    "AFFINITY_NOWHERE_BETTER": _("No host at present would suit the affinity groups of %(name)s better."),
    "ACTION_TYPE_FAILED_ENTITY_NOT_IN_AFFINITY_GROUP_CLUSTER": _("%(name)s is not in cluster %(cluster)s."),
    "ACTION_TYPE_FAILED_VM_IN_POOL": _("The virtual machine belongs to pool %(pool)s; change it there."),
    "ACTION_TYPE_FAILED_NO_AVAILABLE_POOL_VMS": _("Pool %(pool)s has no virtual machine left to take."),
    "VM_POOL_CANNOT_ATTACH_TO_MORE_VMS_FROM_POOL": _(
        "You have taken as many virtual machines of pool %(pool)s as one person may (%(limit)s); give one back first."
    ),
    "VM_POOL_CANNOT_DETACH_VM_NOT_ATTACHED_TO_POOL": _("%(name)s belongs to no pool."),
    "VM_POOL_CANNOT_REMOVE_RUNNING_VM_FROM_POOL": _("%(name)s can leave its pool only while it is down."),
    "ACTION_TYPE_FAILED_PRESTARTED_VMS_CANNOT_EXCEED_VMS_COUNT": _(
        "Pool %(pool)s has %(size)s virtual machines; no more of them can wait."
    ),
    "PRESTARTED_VM_ENDED": _("%(name)s was started to wait for somebody, and ended by itself within a minute."),
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
    "NETWORK_MAC_ADDRESS_IN_USE": _("The MAC address %(mac)s is that of a card of %(name)s already."),
    "MAC_POOL_NOT_ENOUGH_MAC_ADDRESSES": _(
        "The MAC address pool %(pool)s has no address left; give it another range, or choose an address."
    ),
    "NETWORK_CANNOT_REMOVE_MANAGEMENT_NETWORK": _("%(name)s is the network that its data center needs, and stays."),
    "NETWORK_NOT_IN_CLUSTER": _("The network %(network)s does not reach the cluster %(cluster)s; attach it there."),
    "NETWORK_NOT_ON_HOSTS": _("No host of the data center has “%(source)s”; they have: %(there)s."),
    "JOB_IS_NOT_EXTERNAL": _("“%(name)s” is a job of the engine; only the engine ends it."),
    "JOB_HAS_ENDED": _("“%(name)s” has ended already."),
    "DOMAIN_IS_MANAGED": _("%(name)s is managed already."),
    "NO_DOMAIN_TO_ADOPT": _("Host %(host)s has no domain that is not managed."),
    "DEFINITION_IS_GONE": _("The definition of %(name)s was removed on its host; it can only be written again."),
    "DEFINITION_IS_UNCHANGED": _("The definition of %(name)s on its host is the one that is meant."),
    "DEFINITION_CHANGED_OUTSIDE": _(
        "Somebody changed the definition of %(name)s on its host. Accept that, or have the former one written again, "
        "on the tab Devices."
    ),
    "VM_IS_NOT_ADOPTED": _("%(name)s was not adopted: its definition is ours."),
    "ADOPTED_KEEPS_ITS_DEFINITION": _(
        "%(name)s was adopted and keeps its own definition; only name, memory, CPUs, boot order, graphics, video and "
        "serial console are changed in it."
    ),
    "JOB_CANNOT_BE_CANCELLED": _("“%(verb)s” cannot be cancelled once it has begun."),
    "JOB_NOT_YOURS": _("Only the person who asked for it can cancel it."),
    "JOB_CANCELLED": _("It was cancelled."),
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
    "ACTION_TYPE_FAILED_STORAGE_DOMAIN_STATUS_ILLEGAL": _(
        "Storage domain %(name)s is in status “%(storage_status)s”, in which this is not possible."
    ),
    "ACTION_TYPE_FAILED_DISK_SPACE_LOW_ON_STORAGE_DOMAIN": _(
        "Storage domain %(name)s has %(free)s MiB left, of which %(spared)s MiB are spared, and this takes %(needed)s "
        "MiB at once. Remove what nobody needs there, or choose another one."
    ),
    "ACTION_TYPE_FAILED_DISKS_LOCKED": _(
        "Disk %(name)s is locked: a task is at work on it. Try again when it is done."
    ),
    "ACTION_TYPE_FAILED_DISK_ILLEGAL": _("Disk %(name)s is not whole and can only be removed."),
    "ACTION_TYPE_FAILED_DISK_ALREADY_ATTACHED": _("Disk %(name)s is attached to %(vm)s already."),
    "ACTION_TYPE_FAILED_VM_ALREADY_HAS_BOOTABLE_DISK": _(
        "The virtual machine boots from disk %(name)s already; only one disk can be bootable."
    ),
    "ACTION_TYPE_FAILED_EXCEEDED_MAX_DISKS": _("A virtual machine has at most %(places)s disks on %(interface)s."),
    "ACTION_TYPE_FAILED_CANNOT_REDUCE_DISK_SIZE": _(
        "Disk %(name)s has %(size)s MiB and cannot become smaller: what is written at its end would be lost."
    ),
    "ACTION_TYPE_FAILED_DISK_IS_A_TEMPLATES": _("Disk %(name)s belongs to template %(template)s and stays as it is."),
    "ACTION_TYPE_FAILED_DISK_HAS_SNAPSHOTS": _("Disk %(name)s is part of snapshots; remove these first."),
    "ACTION_TYPE_FAILED_DISK_ELSEWHERE": _("Disk %(name)s does not lie in data center %(place)s."),
    "ACTION_TYPE_FAILED_NO_VDS_IN_POOL": _("No host that answers reaches the storage domain %(name)s."),
    "ACTION_TYPE_FAILED_STORAGE_OF_ANOTHER_HOST": _("Host %(host)s does not reach storage domain %(storage)s."),
    "HOT_PLUG_IS_NOT_SUPPORTED": _(
        "Disk %(name)s is on %(interface)s, which it cannot leave while the virtual machine runs."
    ),
    "STORAGE_EMPTIED": _(
        "None of the images of %(name)s lies there any more; perhaps the file system that belongs there is not mounted."
    ),
    "STORAGE_FULL": _("There is no room left on the storage."),
    "SNAPSHOT_UNREADABLE": _("The snapshot was written by another version and cannot be read."),
    "ACTION_TYPE_FAILED_VM_IN_PREVIEW": _("A snapshot of %(name)s is previewed; commit or undo that first."),
    "ACTION_TYPE_FAILED_VM_SNAPSHOT_NOT_IN_PREVIEW": _("No snapshot of %(name)s is previewed."),
    "ACTION_TYPE_FAILED_VM_SNAPSHOT_LOCKED": _("The snapshot is being worked on; try again when that is done."),
    "ACTION_TYPE_FAILED_VM_IS_STATELESS": _("%(name)s runs stateless: what it writes is gone when it is down."),
    "SNAPSHOT_PARTLY_GONE": _(
        "Its removal was begun and cut off, so that a part of it is gone: it can only be removed. Remove it again."
    ),
    "SNAPSHOT_HALF_DONE": _(
        "“%(verb)s” was begun for %(name)s and cut off, so that a part of what it drops is gone. Do that again."
    ),
    "ACTION_TYPE_FAILED_NO_SNAPSHOTS_ON_BLOCKS": _(
        "Disk %(name)s lies in a volume group, where there are no snapshots."
    ),
    "IMAGE_ILLEGAL": _("The file cannot be used: %(image_why)s"),
    "TRANSFER_PHASE_ILLEGAL": _("“%(verb)s” is not possible while the transfer is in phase “%(phase)s”."),
    "TRANSFER_NOT_OPEN": _("The ticket is not valid: the transfer has ended, is paused, or never was."),
    "TRANSFER_CANCELLED": _("The transfer was cancelled before the image was whole."),
    "IMAGE_MISSING": _("The image %(image)s is not on its storage."),
    "DISK_NOT_RELEASED": _("The guest does not let go of the disk; it may be in use there."),
    "CONSTRAINT_VIOLATED": _("The database refuses this combination (%(constraint)s)."),
    "HOST_NOT_RESPONDING": _("Host %(host)s does not respond."),
    "HOST_TOO_OLD": _("Host %(host)s has libvirt %(version)s; it takes %(needed)s or later."),
    "HOST_OUT_OF_REACH": _("Host %(host)s cannot be reached: %(host_why)s"),
    "MACHINE_NOT_RESPONDING": _("%(name)s hangs: its QEMU does not respond. Power Off ends it."),
    "HYPERVISOR_PACKAGE_MISSING": _(
        "The hypervisor is not installed: the system package %(package)s is missing on the host."
    ),
    "HYPERVISOR_REFUSED": _("The hypervisor refused: %(message)s."),
    "GUEST_DID_NOT_REACT": _("The guest did not react in time. Power Off stops it without asking."),
    "GUEST_KEEPS_DEVICE": _("The guest did not let go of the network card %(mac)s; it keeps it until it is shut down."),
    "BOOT_FILE_MISSING": _("The boot library has no file %(file)s."),
    "ENGINE_FAILED": _("The engine failed; its log tells why."),
    "ENGINE_NOT_RUNNING": _("The engine does not answer, and only it can reach the console. Try again in a moment."),
}

# Why an image is refused.
IMAGES: Final[dict[str, Text]] = {
    "no_iso": _("it is no ISO 9660 image of a CD."),
    "other_format": _("it is of another format; QCOW2 and raw images are taken, not compressed."),
    "cut": _("it ends in the middle of its header."),
    "backing": _("it depends on another file (a backing file); flatten it first with “qemu-img convert”."),
    "data_file": _("its data is in another file; convert it first with “qemu-img convert”."),
    "encrypted": _("it is encrypted."),
    "size": _("the disk in it has a size that no disk here can have."),
    "unreadable": _("qemu-img cannot read it."),
}
