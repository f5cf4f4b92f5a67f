"""How the rules say no: one exception that carries a code, the field and parameters, never a text."""

from enum import StrEnum
from typing import Any, Final


class Kind(StrEnum):
    """What sort of no it is; doors turn it into a status (400, 403, 404, 409, 503)."""

    INVALID = "invalid"
    FORBIDDEN = "forbidden"
    MISSING = "missing"
    CONFLICT = "conflict"
    UNAVAILABLE = "unavailable"


KINDS: Final[dict[str, Kind]] = {
    # Names that oVirt's clients know are oVirt's (EngineMessage.java); the rest are ours.
    "ACTION_TYPE_FAILED_ILLEGAL_VM_DISPLAY_TYPE_IS_NOT_SUPPORTED_BY_OS": Kind.INVALID,
    "ACTION_TYPE_FAILED_ILLEGAL_VM_DISPLAY_TYPE_IS_NOT_SUPPORTED_BY_FIRMWARE": Kind.INVALID,
    "ACTION_TYPE_FAILED_ILLEGAL_NUM_OF_MONITORS": Kind.INVALID,
    "ACTION_TYPE_FAILED_ONLY_ONE_DEVICE_WITH_THIS_GRAPHICS_ALLOWED": Kind.INVALID,
    "ACTION_TYPE_FAILED_GRAPHIC_TYPE_MUST_BE_SPECIFIED": Kind.INVALID,
    "VALIDATION_VM_INVALID_KEYBOARD_LAYOUT": Kind.INVALID,
    "GRAPHICS_CONSOLE_NOT_FOUND": Kind.MISSING,
    "NO_GRAPHICAL_CONSOLE": Kind.CONFLICT,
    "TICKET_ILLEGAL": Kind.INVALID,
    "USER_CANNOT_FORCE_RECONNECT_TO_VM": Kind.FORBIDDEN,
    "CONSOLE_OUT_OF_REACH": Kind.CONFLICT,
    "ACTION_TYPE_FAILED_CANNOT_SCREENSHOT_HEADLESS_VM": Kind.CONFLICT,
    "NO_SCREENSHOT": Kind.MISSING,
    "NO_SERIAL_CONSOLE": Kind.CONFLICT,
    "PUBLIC_KEY_ILLEGAL": Kind.INVALID,
    "PUBLIC_KEY_IN_USE": Kind.CONFLICT,
    "NO_SERIAL_LOG": Kind.MISSING,
    "CONSOLE_PASS_INVALID": Kind.FORBIDDEN,
    "TOO_MANY_CONSOLES": Kind.CONFLICT,
    "NO_HOST_OFFERS_GRAPHICS": Kind.INVALID,
    "NO_HOST_OFFERS_PROTOCOL": Kind.INVALID,
    "ILLEGAL_VALUE": Kind.INVALID,
    "ACTION_TYPE_FAILED_NAME_ALREADY_USED": Kind.CONFLICT,
    "ACTION_TYPE_FAILED_INVALID_CHARACTERS_IN_NAME": Kind.INVALID,
    "ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL": Kind.CONFLICT,
    "ACTION_TYPE_FAILED_OBJECT_LOCKED": Kind.CONFLICT,
    "ACTION_TYPE_FAILED_DELETE_PROTECTION_ENABLED": Kind.CONFLICT,
    "ACTION_TYPE_FAILED_EDITED_MEANWHILE": Kind.CONFLICT,
    "ACTION_TYPE_FAILED_STILL_IN_USE": Kind.CONFLICT,
    "ACTION_TYPE_FAILED_OBJECT_IS_BUILT_IN": Kind.CONFLICT,
    "ACTION_TYPE_FAILED_VDS_WITH_SAME_UUID_EXIST": Kind.CONFLICT,
    "ACTION_TYPE_FAILED_VDS_VM_CLUSTER": Kind.CONFLICT,
    "ACTION_TYPE_FAILED_VDS_VM_PINNED": Kind.CONFLICT,
    "ACTION_TYPE_FAILED_VDS_VM_LACKS": Kind.CONFLICT,
    "ACTION_TYPE_FAILED_VDS_VM_MEMORY": Kind.CONFLICT,
    "ACTION_TYPE_FAILED_VM_IN_POOL": Kind.CONFLICT,
    "ACTION_TYPE_FAILED_NO_AVAILABLE_POOL_VMS": Kind.CONFLICT,
    "VM_POOL_CANNOT_ATTACH_TO_MORE_VMS_FROM_POOL": Kind.CONFLICT,
    "VM_POOL_CANNOT_DETACH_VM_NOT_ATTACHED_TO_POOL": Kind.CONFLICT,
    "VM_POOL_CANNOT_REMOVE_RUNNING_VM_FROM_POOL": Kind.CONFLICT,
    "VM_POOL_CANNOT_DECREASE_VMS_FROM_POOL": Kind.CONFLICT,
    "VM_POOL_CANNOT_CHANGE_POOL_TYPE": Kind.CONFLICT,
    "VM_POOL_CANNOT_CHANGE_POOL_STATEFUL_OPTION": Kind.CONFLICT,
    "TAGS_SPECIFIED_TAG_CANNOT_BE_THE_PARENT_OF_ITSELF": Kind.INVALID,
    "USER_NOT_AUTHORIZED_TO_PERFORM_ACTION": Kind.FORBIDDEN,
    "PERMISSION_ADD_FAILED_ONLY_SYSTEM_SUPER_USER_CAN_GIVE_ADMIN_ROLES": Kind.FORBIDDEN,
    "SYSTEM_NEEDS_AN_ADMINISTRATOR": Kind.CONFLICT,
    "USER_CANNOT_REMOVE_HIMSELF": Kind.CONFLICT,
    "ACTION_TYPE_FAILED_VDS_STATUS_ILLEGAL": Kind.CONFLICT,
    "ACTION_TYPE_FAILED_VDS_WITH_SAME_HOST_EXIST": Kind.CONFLICT,
    "JOB_IS_NOT_EXTERNAL": Kind.CONFLICT,
    "JOB_HAS_ENDED": Kind.CONFLICT,
    "ACTION_TYPE_FAILED_VM_NOT_FOUND": Kind.MISSING,
    "VM_WOULD_BE_LOCKED_OUT": Kind.CONFLICT,
    "CONSTRAINT_VIOLATED": Kind.INVALID,
    "LIST_PLACE_GONE": Kind.INVALID,
    "MANY_NONE": Kind.INVALID,
    "MANY_TOO_MANY": Kind.INVALID,
    "MANY_OTHERS_MEANWHILE": Kind.CONFLICT,
    "MANY_NOT_YOURS": Kind.FORBIDDEN,
    "MANY_CANCELLED": Kind.CONFLICT,
    "MANY_ALL_FAILED": Kind.CONFLICT,
    "SEARCH_TOO_LONG": Kind.INVALID,
    "SEARCH_TOO_COMPLEX": Kind.INVALID,
    "SEARCH_CHARACTER_ILLEGAL": Kind.INVALID,
    "SEARCH_QUOTE_OPEN": Kind.INVALID,
    "SEARCH_UNFINISHED": Kind.INVALID,
    "SEARCH_WORD_MISPLACED": Kind.INVALID,
    "SEARCH_OBJECT_OTHER": Kind.INVALID,
    "SEARCH_FIELD_UNKNOWN": Kind.INVALID,
    "SEARCH_OPERATOR_ILLEGAL": Kind.INVALID,
    "SEARCH_VALUE_ILLEGAL": Kind.INVALID,
    "SEARCH_ORDER_UNKNOWN": Kind.INVALID,
    # What a hypervisor said when a job ran; stored on the job, shown with it.
    "HOST_NOT_RESPONDING": Kind.UNAVAILABLE,
    "MACHINE_NOT_RESPONDING": Kind.UNAVAILABLE,
    "HYPERVISOR_PACKAGE_MISSING": Kind.UNAVAILABLE,
    "HYPERVISOR_REFUSED": Kind.CONFLICT,
    "GUEST_DID_NOT_REACT": Kind.CONFLICT,
    "BOOT_FILE_MISSING": Kind.CONFLICT,
    "ENGINE_FAILED": Kind.UNAVAILABLE,
    "ENGINE_NOT_RUNNING": Kind.UNAVAILABLE,
}


class Refusal(Exception):
    """A request that the rules refuse: a code of `KINDS`, the field it is about, and what to say it with."""

    def __init__(self, code: str, field: str | None = None, **params: object) -> None:
        if code not in KINDS:
            raise KeyError(f"{code} is no refusal code: add it to vms.domain.errors.KINDS")
        super().__init__(code, field, params)
        self.code = code
        self.field = field
        self.params = params

    @property
    def kind(self) -> Kind:
        return KINDS[self.code]

    def as_document(self) -> dict[str, Any]:
        """The refusal as plain data, as jobs and hosts keep it."""
        return {"code": self.code, "params": {key: str(value) for key, value in self.params.items()}}

    def __str__(self) -> str:
        about = f" ({self.field})" if self.field else ""
        return f"{self.code}{about}"
