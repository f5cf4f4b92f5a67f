"""The laws of the house that imports and types alone do not keep: who imports whom, who compares, who promises."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
VMS = ROOT / "vms"

# Where the column may be named: the rule itself, the row that remembers it, oVirt's words, and what migrations wrote;
# besides where it is only sorted and searched by, and what is measured against SQL that is written by hand.
MAY_COMPARE = (
    *("domain/", "models/hardware.py", "api/mapping/", "migrations/"),
    *("models/machines.py", "search/languages.py", "management/searching.py", "management/whole.py"),
)
# "none" is a video model of libvirt's too.
SPEAKS_LIBVIRT = ("libvirtxml/",)


def sources(*left_out: str) -> Iterator[tuple[str, str]]:
    for path in sorted(VMS.rglob("*.py")):
        name = path.relative_to(VMS).as_posix()
        if not name.startswith(left_out):
            yield name, path.read_text()


def names_the_column(source: str) -> list[int]:
    """The lines that name the column: as a word of the program or as a text."""
    found = []
    for node in ast.walk(ast.parse(source)):
        words = (getattr(node, "attr", None), getattr(node, "id", None), getattr(node, "arg", None))
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if any(word and "display_type" in word for word in words) or "display_type" in text:
            found.append(node.lineno)  # type: ignore[attr-defined]
    return found


def compares_with_none(source: str) -> list[int]:
    """The lines that compare something with the text that stands for no video."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            inside = ast.walk(node)
        elif isinstance(node, ast.MatchValue):
            inside = ast.walk(node.value)
        else:
            continue
        if any(isinstance(part, ast.Constant) and part.value == "none" for part in inside):
            found.append(node.lineno)
    return found


@pytest.mark.parametrize(
    "offence",
    [
        "rows.filter(display_type='qxl')",
        "row.display_type = video",
        "order = ['-display_type']",
        "q = Q(last_display_type__in=cards)",
    ],
)
def test_naming_the_column_is_found(offence: str) -> None:
    assert names_the_column(offence) == [1]


@pytest.mark.parametrize(
    "offence",
    [
        "if video == 'none': pass",
        "headless = 'none' != video",
        "headless = video in ('none', '')",
        "match video:\n case 'none': pass",
    ],
)
def test_comparing_with_none_is_found(offence: str) -> None:
    assert compares_with_none(offence)


def test_nobody_but_the_rule_and_its_row_names_the_column() -> None:
    assert {name: lines for name, text in sources(*MAY_COMPARE) if (lines := names_the_column(text))} == {}


def test_nobody_but_the_rule_and_its_row_compares_with_none() -> None:
    left_out = (*MAY_COMPARE, *SPEAKS_LIBVIRT)
    assert {name: lines for name, text in sources(*left_out) if (lines := compares_with_none(text))} == {}


def test_no_template_names_the_column() -> None:
    pages = [path for path in (ROOT / "templates").rglob("*") if path.is_file()]
    assert [path.name for path in pages if "display_type" in path.read_text()] == []


def test_the_rooms_import_only_inwards() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


PROMISING = ("domain", "actions", "models", "hypervisors")


def _promises(name: str) -> Iterator[tuple[str, str | None]]:
    for node in ast.parse((VMS / name).read_text()).body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_"):
            continue
        yield node.name, ast.get_docstring(node)
        if name == "hypervisors/base.py" and isinstance(node, ast.ClassDef):
            for verb in node.body:
                if isinstance(verb, ast.FunctionDef):
                    yield f"{node.name}.{verb.name}", ast.get_docstring(verb)


@pytest.mark.parametrize("room", PROMISING)
def test_everything_public_makes_a_promise(room: str) -> None:
    modules = [path.relative_to(VMS).as_posix() for path in sorted((VMS / room).glob("*.py"))]
    promises = [(module, *promise) for module in modules for promise in _promises(module)]
    assert promises
    assert [(module, name) for module, name, docstring in promises if not docstring] == []


def test_own_scripts_stay_few() -> None:
    """Pages work without them: they are for comfort, and consoles need some of their own."""
    consoles, others = 0, 0
    for path in (settings.BASE_DIR / "static" / "js").rglob("*.js"):
        lines = len(path.read_text().splitlines())
        consoles, others = (consoles + lines, others) if path.stem in CONSOLES else (consoles, others + lines)
    assert 0 < others <= 500
    assert 0 < consoles <= 500


CONSOLES = {"console", "screen", "serial"}
