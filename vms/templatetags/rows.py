"""The Jinja2 environment in which rows of long tables are rendered."""

from typing import Any

from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from jinja2 import Environment


def environment(**options: Any) -> Environment:
    """Jinja2 with the few words that rows need: `url`, `static` and translation."""
    options |= {"extensions": ["jinja2.ext.i18n"]}
    options.pop("autoescape", None)
    made = Environment(autoescape=True, **options)
    made.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    made.globals |= {"url": _url, "static": static}
    return made


def _url(name: str, *args: Any) -> str:
    return reverse(name, args=args)
