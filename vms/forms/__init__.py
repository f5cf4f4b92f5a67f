"""The forms of all doors that have any: one for all kinds of machine, and the dialogs Run Once, Clone, New
Template, Migrate."""

from .copies import CloneForm, NewTemplateForm
from .hardware import HardwareForm
from .kinds import InstanceTypeForm, PoolForm, TemplateForm, VMForm
from .migrate import MigrateForm
from .redraw import followed, preset, redraw
from .runonce import RunOnceForm

__all__ = [
    "CloneForm",
    "HardwareForm",
    "InstanceTypeForm",
    "MigrateForm",
    "NewTemplateForm",
    "PoolForm",
    "RunOnceForm",
    "TemplateForm",
    "VMForm",
    "followed",
    "preset",
    "redraw",
]
