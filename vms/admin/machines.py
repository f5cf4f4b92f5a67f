"""The four kinds of machine, with the one form that they have everywhere."""

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from vms import messages as catalogue
from vms.actions import create
from vms.actions.edit import GROUPS as EDIT_GROUPS
from vms.actions.edit import edit
from vms.actions.remove import GROUPS as REMOVE_GROUPS
from vms.actions.remove import remove
from vms.domain.errors import Refusal
from vms.forms.kinds import FORMS
from vms.models import (
    VM,
    Device,
    Hardware,
    InstanceType,
    Pool,
    Template,
    User,
)
from vms.models.users import permitted

from .base import ActingAdmin, user_of

_CREATE: dict[type[Hardware], Callable[..., Hardware]] = {
    VM: create.vm,
    Template: create.template,
    Pool: create.pool,
    InstanceType: create.instance_type,
}


class HardwareAdminForm(forms.ModelForm):
    """Wears the fields of the one form for machines, and is valid once the action has accepted what they say.

    The action runs within the transaction that Django admin opens for the whole request, so a refusal is a field
    error and nothing has happened.
    """

    by: User

    class Meta:
        fields: ClassVar[tuple[str, ...]] = ()

    def __init__(self, data: Any = None, files: Any = None, instance: Any = None, **options: Any) -> None:
        row = instance or self._meta.model()
        self.inner = FORMS[type(row)](data, row=row, by=self.by, initial=options.get("initial"))
        super().__init__(self.inner.data if self.inner.is_bound else None, files, instance=row, **options)
        self.fields = self.inner.fields
        self.initial = self.inner.initial

    def _post_clean(self) -> None:
        # Django's own would copy the fields into the row and judge the row: neither is ours to do.
        if not self.inner.is_valid():
            for name, errors in self.inner.errors.as_data().items():
                self.add_error(None if name == "__all__" else name, errors)
            return
        try:
            self.instance = self._act()
        except Refusal as no:
            self.add_error(no.field if no.field in self.fields else None, catalogue.refusal(no))

    def _act(self) -> Hardware:
        row = self.inner.row
        if self.inner.is_new:
            return _CREATE[type(row)](**self.inner.creation(), by=self.by)
        return edit(row, self.inner.changes(), by=self.by)

    def save(self, commit: bool = True) -> Hardware:
        """The row that the action has made or changed."""
        self.save_m2m = lambda: None  # type: ignore[method-assign]  # Django's protocol of saving in two steps
        row: Hardware = self.instance
        return row


class HeadlessFilter(admin.SimpleListFilter):
    title = _("headless")
    parameter_name = "headless"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes")), ("no", _("No"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        match self.value():
            case "yes":
                return queryset.headless()
            case "no":
                return queryset.graphical()
        return queryset


class DeviceInline(admin.TabularInline):
    model = Device
    fields = ("scope", "kind", "model", "params", "address")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission


class HardwareAdmin(ActingAdmin):
    form = HardwareAdminForm
    list_display: Any = ("name", "graphics", "video", "serial_console", "memory", "description")
    list_filter: ClassVar[tuple[Any, ...]] = (HeadlessFilter, "serial_console", "vm_type")
    search_fields = ("name", "description")
    inlines = (DeviceInline,)

    @admin.display(description=_("Graphics"))
    def graphics(self, row: Hardware) -> str:
        return row.console.graphics_label

    @admin.display(description=_("Video"))
    def video(self, row: Hardware) -> str:
        return row.console.video_label

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return permitted(super().get_queryset(request), user_of(request))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        made = super().get_form(request, obj, change, fields=(), form=HardwareAdminForm)
        return type(made.__name__, (made,), {"by": user_of(request)})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        form = FORMS[self.model](row=obj or self.model(), by=user_of(request))
        sections = [(section.heading or tab.label, section) for tab in form.tabs for section in tab.sections]
        shown = [(heading, {"fields": [field.name for field in section.fields]}) for heading, section in sections]
        return [*shown, (None, {"fields": ["version", "state"], "classes": ["hidden"]})]

    def get_formsets_with_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        # Devices are shown, never posted: a set of forms without data would make the whole page invalid.
        return () if request.method == "POST" else super().get_formsets_with_inlines(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The form's action has saved it."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Devices follow the machine by themselves."""

    def delete_model(self, request: HttpRequest, obj: Hardware) -> None:
        remove(obj, by=user_of(request))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The machines alone: what belongs to them needs no permission of its own, what uses them is refused."""
        return [str(obj) for obj in objs], {str(self.opts.verbose_name_plural): len(objs)}, set(), []

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_active and (obj is None or self._may(request, obj))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_active and (obj is None or self._may(request, obj, EDIT_GROUPS[self.model]))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_active and (obj is None or self._may(request, obj, REMOVE_GROUPS[self.model]))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active

    def _may(self, request: HttpRequest, obj: Any, *groups: str) -> bool:
        return permitted(self.model._default_manager.filter(pk=obj.pk), user_of(request), *groups).exists()


@admin.register(VM)
class VMAdmin(HardwareAdmin):
    list_display = ("name", "status", "graphics", "video", "serial_console", "pending", "run_once", "cluster", "pool")
    list_filter = (HeadlessFilter, "status", "pending", "run_once", "serial_console", "cluster")


@admin.register(Template)
class TemplateAdmin(HardwareAdmin):
    list_display = ("name", "version_number", "graphics", "video", "serial_console", "memory", "cluster")


@admin.register(Pool)
class PoolAdmin(HardwareAdmin):
    list_display = ("name", "graphics", "video", "serial_console", "memory", "cluster", "template")


@admin.register(InstanceType)
class InstanceTypeAdmin(HardwareAdmin):
    list_display = ("name", "graphics", "video", "serial_console", "memory", "description")
