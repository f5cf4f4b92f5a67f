"""Keep the catalogues of translations below vms/locale/, without GNU gettext.

    catalogues.py update    bring the catalogues in line with the texts in vms/ and templates/
    catalogues.py compile   write beside each catalogue the form that Django reads; set-up does it

A text that is new has an empty translation until somebody writes one; a text that is gone goes from the catalogues too.
"""

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "vms" / "locale"
WIDTH = 120
# What marks a text, and where its arguments hold it.
KEYWORDS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop"), None),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
}


def main(arguments: list[str]) -> int:
    """Serve the command line described above."""
    match arguments:
        case ["update"]:
            update()
        case ["compile"]:
            translate()
        case _:
            print("usage: catalogues.py update|compile", file=sys.stderr)
            return 2
    return 0


def update() -> None:
    """Merge the texts of now into every catalogue, and say how many of them wait for a translation."""
    texts = marked()
    for path in paths():
        catalogue = read(path)
        catalogue.update(texts, no_fuzzy_matching=True, update_creation_date=False)
        catalogue.obsolete.clear()
        with path.open("wb") as file:
            write_po(file, catalogue, width=WIDTH, sort_output=True, include_lineno=False)
        waiting = sum(not all(strings(message.string)) for message in catalogue if message.id)
        print(f"{path.relative_to(ROOT)}: {len(catalogue)} texts, {waiting} without a translation")


def translate() -> None:
    """Write what Django reads, each file whole or not at all."""
    for path in paths():
        scratch = path.with_suffix(".new")
        with scratch.open("wb") as file:
            write_mo(file, read(path))
        scratch.replace(path.with_suffix(".mo"))


def paths() -> list[Path]:
    """The catalogues as people edit them."""
    return sorted(LOCALE.glob("*/LC_MESSAGES/django.po"))


def read(path: Path) -> Catalog:
    """One catalogue; its language is the name of its directory."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name, domain="django", abort_invalid=True)


def strings(text: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    """The forms of a text: one, or as many as its language counts."""
    return tuple(text) if isinstance(text, list | tuple) else (text or "",)


def marked() -> Catalog:
    """Every text that the code and the pages mark as translatable, with the files it stands in."""
    catalogue = Catalog(domain="django")
    for path in sources():
        name, code = str(path.relative_to(ROOT)), path.read_text()
        if path.suffix == ".html":
            # Blanks out all but the calls; what is left of the indentation would mean something to Python.
            code = "\n".join(map(str.strip, templatize(code, name).splitlines()))
        for _, text, comments, context in extract("python", BytesIO(code.encode()), KEYWORDS, ["Translators:"]):
            catalogue.add(text, locations=[(name, 0)], auto_comments=comments, context=context)
    return catalogue


def sources() -> Iterator[Path]:
    """The files that may hold texts, in a constant order."""
    yield from sorted(path for path in (ROOT / "vms").rglob("*.py") if "migrations" not in path.parts)
    yield from sorted((ROOT / "templates").rglob("*.html"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
