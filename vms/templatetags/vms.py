"""What templates need beside Django's own tags."""

import json
from functools import cache
from typing import Any

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from vms.domain import machine
from vms.web import menu, pages

register = template.Library()


@register.simple_tag(takes_context=True)
def address(context: template.Context, name: str, *args: Any) -> str:
    """The address of a page in the portal that shows the template: WebAdmin and UserPortal call it alike."""
    return pages.address(context["request"], name, *args)


@register.simple_tag(takes_context=True)
def menu_groups(context: template.Context) -> list[menu.Group]:
    """WebAdmin's sections, in the order of its menu."""
    return menu.groups(context["request"])


@register.simple_tag
def vendor(name: str, path: str) -> str:
    """The address of a file of a front-end package; its version is the one that static/package.json declares."""
    return static(f"vendor/{name}-{_versions()[name]}/{path}")


@register.simple_tag
@cache
def time_zones() -> SafeString:
    """The names of all time zones, which fields of `forms.fields.zone` suggest."""
    names = format_html_join("", '<option value="{}"></option>', ((zone,) for zone in sorted(machine.time_zones())))
    return format_html('<datalist id="time-zones">{}</datalist>', names)


@cache
def _versions() -> dict[str, str]:
    declared = json.loads((settings.BASE_DIR / "static" / "package.json").read_text())["dependencies"]
    return {name.rpartition("/")[2]: version for name, version in declared.items()}
