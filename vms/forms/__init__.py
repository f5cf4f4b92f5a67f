"""The forms of all doors that have any: one for all kinds of machine, and the dialog Run Once."""

from .hardware import HardwareForm
from .kinds import InstanceTypeForm, PoolForm, TemplateForm, VMForm
from .runonce import RunOnceForm

__all__ = ["HardwareForm", "InstanceTypeForm", "PoolForm", "RunOnceForm", "TemplateForm", "VMForm"]
