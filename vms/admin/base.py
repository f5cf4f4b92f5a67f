"""What all pages share: they save and delete nothing by themselves."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from vms import messages as catalogue
from vms.domain.errors import Refusal
from vms.models import (
    User,
)


class SilentAdmin(ModelAdmin):
    """No log of its own beside the audit trail, and no bulk delete beside the actions."""

    actions = None

    def log_addition(self, *_args: Any) -> Any:
        """The action has recorded it."""

    def log_change(self, *_args: Any) -> Any:
        """The action has recorded it."""

    def log_deletions(self, *_args: Any) -> Any:
        """The action has recorded it."""


class ActingAdmin(SilentAdmin):
    """Rows that actions remove, which may say no."""

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        try:
            return super().delete_view(request, object_id, extra_context)
        except Refusal as no:
            messages.error(request, catalogue.refusal(no))
            return self._response_back(object_id)

    def _response_back(self, object_id: str) -> HttpResponse:
        return redirect(f"admin:vms_{self.opts.model_name}_change", object_id)


class ReadOnlyAdmin(SilentAdmin):
    """Rows that only the engine or the actions write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PlainAdminForm(forms.ModelForm):
    """A row that is nothing but columns; valid once the action has accepted what they say."""

    by: User
    make: Callable[..., Any]
    edit: Callable[..., Any]

    def _post_clean(self) -> None:
        if self.errors:
            return
        act = type(self)
        try:
            if self.instance._state.adding:
                self.instance = act.make(**self.cleaned_data, by=self.by)
            else:
                said = {name: self.cleaned_data[name] for name in self.changed_data}
                self.instance = act.edit(self.instance, **said, by=self.by)
        except Refusal as no:
            self.add_error(no.field if no.field in self.fields else None, catalogue.refusal(no))

    def save(self, commit: bool = True) -> Any:
        """The row that the action has made or changed."""
        self.save_m2m = lambda: None  # type: ignore[method-assign]  # Django's protocol of saving in two steps
        return self.instance


class PlainAdmin(ActingAdmin):
    """Rows that are nothing but columns, written by the same actions as everywhere."""

    make: Callable[..., Any]
    edit: Callable[..., Any]
    remove: Callable[..., Any]
    fixed: tuple[str, ...] = ()  # what is chosen when it is made, and stays

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fixed if obj else ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        made = super().get_form(request, obj, change, form=PlainAdminForm, **options)
        acts = {name: staticmethod(getattr(type(self), name)) for name in ("make", "edit")}
        return type(made.__name__, (made,), {"by": user_of(request), **acts})

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The form's action has saved it."""

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        type(self).remove(obj, by=user_of(request))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The rows alone: what still needs them, the action names."""
        return [str(obj) for obj in objs], {str(self.opts.verbose_name_plural): len(objs)}, set(), []


def user_of(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
