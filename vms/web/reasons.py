"""Why somebody cannot do something, in one sentence each: what the actions would refuse, asked beforehand."""

from typing import Any

from vms import messages
from vms.actions import cancelling, edit, pools, remove, rights, screenshots
from vms.actions.rights import Rights, on, require
from vms.actions.viewing import console_of
from vms.domain import lifecycle
from vms.domain.errors import Refusal
from vms.domain.graphicalaccess import NoConsole
from vms.domain.lifecycle import Status, Verb
from vms.domain.machine import MigrationMode
from vms.models import VM, ActionGroup, Hardware, Job, Template, User


def lacking(action_group: ActionGroup, held: Rights) -> str:
    """Why somebody's roles do not allow something; empty when they do."""
    try:
        require(action_group, held)
    except Refusal as no:
        return messages.refusal(no)
    return ""


def why_not(vm: VM, verb: Verb, held: Rights) -> str:
    """Why a verb is not possible for somebody, or in the VM's present status; empty when it is."""
    try:
        require(rights.NEEDED[verb], held)
        lifecycle.require(verb, Status(vm.status))
    except Refusal as no:
        return messages.refusal(no)
    if verb == Verb.REMOVE and vm.delete_protected:
        return messages.sentence("ACTION_TYPE_FAILED_DELETE_PROTECTION_ENABLED", {"name": vm.name})
    return ""


def why_not_moved(vm: VM, held: Rights) -> str:
    """Why somebody cannot move the machine to another host, as far as it tells by itself; empty when he can."""
    if told := why_not(vm, Verb.MIGRATE, held):
        return told
    pinned = vm.migration == MigrationMode.PINNED
    return messages.sentence("ACTION_TYPE_FAILED_VM_IS_PINNED_TO_HOST", {"name": vm.name}) if pinned else ""


def why_not_cancelled(job: Job, user: User) -> str:
    """Why somebody cannot call a job off; empty when it is possible."""
    try:
        cancelling.require_possible(job, by=user)
    except Refusal as no:
        return messages.refusal(no)
    return ""


def why_not_edited(row: Hardware, held: Rights) -> str:
    """Why somebody cannot change the row; empty when it is possible."""
    return lacking(edit.GROUPS[type(row)], held)


def why_no_form(row: Hardware, user: User, *, is_new: bool) -> str:
    """Why somebody can save no form about the row, whatever is in it; empty when it is possible."""
    if not is_new:
        return why_not_edited(row, on(user, row))
    needed, places = rights.MAKING[type(row)]
    enough = rights.MAKING_SIZED if isinstance(row, VM) else (needed,)
    able = rights.may_somewhere(user, places, *enough) if places else rights.may(user, needed, None)
    return "" if able else lacking(needed, frozenset())


def why_no_template(held: Rights, above: Rights) -> str:
    """Why somebody cannot make a template of a machine in a data center; empty when it is possible."""
    return lacking(ActionGroup.CREATE_TEMPLATE, above) or lacking(ActionGroup.EDIT_VM_PROPERTIES, held)


def why_no_version(template: Template, user: User, held: Rights) -> str:
    """Why somebody cannot make the next version of the template; empty when it is possible."""
    above = rights.may(user, ActionGroup.CREATE_TEMPLATE, template.cluster.data_center if template.cluster else None)
    no = "" if above else lacking(ActionGroup.CREATE_TEMPLATE, frozenset())
    return no or lacking(ActionGroup.EDIT_TEMPLATE_PROPERTIES, held)


def why_not_taken(pool: Any, held: Rights, mine: int) -> str:
    """Why somebody who has taken `mine` machines of a counted pool cannot take another; empty when it is possible."""
    try:
        require(ActionGroup.VM_POOL_BASIC_OPERATIONS, held)
        pools.require_another(pool, mine=mine, free=pool.free_count)
    except Refusal as no:
        return messages.refusal(no)
    return ""


def why_not_given_back(vm: VM, user: User) -> str:
    """Why somebody cannot give the machine back to its pool; empty when it is possible."""
    if vm.pool is None:
        return messages.sentence("VM_POOL_CANNOT_DETACH_VM_NOT_ATTACHED_TO_POOL", {"name": vm.name})
    if rights.taken_by(user, [vm]):
        return ""
    return lacking(ActionGroup.EDIT_VM_POOL_CONFIGURATION, on(user, vm.pool))


def why_not_removed(row: Hardware, held: Rights) -> str:
    """Why a row cannot be removed at present, as far as it tells by itself; empty when it can."""
    if told := lacking(remove.GROUPS[type(row)], held):
        return told
    if isinstance(row, VM):
        if row.pool_id:
            return messages.sentence("ACTION_TYPE_FAILED_VM_IN_POOL", {"pool": str(row.pool)})
        return why_not(row, Verb.REMOVE, held)
    if row.delete_protected:
        return messages.sentence("ACTION_TYPE_FAILED_DELETE_PROTECTION_ENABLED", {"name": row.name})
    if isinstance(row, Template) and row.built_in:
        return messages.sentence("ACTION_TYPE_FAILED_OBJECT_IS_BUILT_IN", {"name": row.name})
    return ""


def why_no_serial(vm: VM, held: Rights) -> str:
    """Why somebody has no serial console to open; empty when there is one."""
    if told := lacking(ActionGroup.CONNECT_TO_SERIAL_CONSOLE, held):
        return told
    return "" if vm.has_serial_line else messages.sentence("NO_SERIAL_CONSOLE", {"name": vm.name})


def why_no_options(vm: VM, held: Rights) -> str:
    """Why somebody has no graphical console to choose anything for, now or in the next run; empty when there is one."""
    if told := lacking(ActionGroup.CONNECT_TO_VM, held):
        return told
    reason = vm.graphical_access.reason or NoConsole.HEADLESS
    return str(messages.NO_CONSOLE[reason]) if console_of(vm).headless else ""


def why_no_screenshot(vm: VM, user: User) -> str:
    """Why somebody cannot take a picture of the machine's screen; empty when it is possible."""
    try:
        screenshots.require(vm, by=user)
    except Refusal as no:
        return messages.refusal(no)
    return ""


def why_no_console(vm: VM, held: Rights) -> str:
    """Why somebody has no graphical console to open; empty when there is one."""
    if told := lacking(ActionGroup.CONNECT_TO_VM, held):
        return told
    reason = vm.graphical_access.reason
    return str(messages.NO_CONSOLE[reason]) if reason else ""
