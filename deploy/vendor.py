"""Copy the picked files of the front-end packages into static/vendor/NAME-VERSION/, where the pages find them.

static/package.json declares the picks: under "vendor", for each package, the patterns of the files wanted from it.
What a picked style sheet refers to comes along, and so does the package's licence.
"""

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

STATIC = Path(__file__).resolve().parent.parent / "static"
RECORD = ".picks.json"

REFERENCE = re.compile(r"""url\(\s*["']?(?!data:|https?:|#)([^"')]+?)["']?\s*\)""")
# The static files storage would look for the map, which is larger than all the rest together.
SOURCE_MAP = re.compile(r"\s*/\*# sourceMappingURL=[^*]*\*/")


class VendorError(Exception):
    """A declared file cannot be copied; the text says which and why."""


def main() -> None:
    """Bring static/vendor in line with static/package.json, and end with a sentence where that is not possible."""
    try:
        for directory in vendor(STATIC):
            print(f"static/vendor/{directory.name} is ready")
    except VendorError as error:
        sys.exit(f"The front-end packages cannot be copied: {error}.")


def vendor(static: Path) -> list[Path]:
    """Copy every package whose version or picks changed, drop what is declared no more, and return the new copies."""
    picks: dict[str, list[str]] = json.loads((static / "package.json").read_text())["vendor"]
    target = static / "vendor"
    target.mkdir(exist_ok=True)
    wanted: set[str] = set()
    made: list[Path] = []
    for name, patterns in picks.items():
        package = static / "node_modules" / name
        if not (package / "package.json").is_file():
            raise VendorError(f"{name} is not installed")
        version = json.loads((package / "package.json").read_text())["version"]
        directory = target / f"{name.rpartition('/')[2]}-{version}"
        wanted.add(directory.name)
        if _recorded(directory) != patterns:
            _copy(package, patterns, directory)
            made.append(directory)
    for stale in [entry for entry in target.iterdir() if entry.is_dir() and entry.name not in wanted]:
        shutil.rmtree(stale)
    return made


def _recorded(directory: Path) -> list[str] | None:
    record = directory / RECORD
    return json.loads(record.read_text()) if record.is_file() else None


def _copy(package: Path, patterns: list[str], directory: Path) -> None:
    """Fill a directory beside the final one and rename it, so that a half-made copy is never found."""
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".") as scratch:
        new, old = Path(scratch) / "new", Path(scratch) / "old"
        for path in sorted(_picked(package, patterns)):
            destination = new / path.relative_to(package)
            destination.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".css":
                destination.write_text(SOURCE_MAP.sub("", path.read_text()))
            else:
                shutil.copyfile(path, destination)
        (new / RECORD).write_text(json.dumps(patterns))
        if directory.exists():
            directory.rename(old)
        new.rename(directory)


def _picked(package: Path, patterns: list[str]) -> set[Path]:
    files = {path for path in package.glob("LICEN[CS]E*") if path.is_file()}
    for pattern in patterns:
        found = {path for path in package.glob(pattern) if path.is_file()}
        if not found:
            raise VendorError(f"{pattern} matches no file of {package.name}")
        files |= found
    for sheet in [path for path in files if path.suffix == ".css"]:
        files |= set(_references(sheet, package))
    return files


def _references(sheet: Path, package: Path) -> Iterator[Path]:
    for reference in sorted(set(REFERENCE.findall(sheet.read_text()))):
        path = (sheet.parent / re.split(r"[?#]", reference)[0]).resolve()
        if not path.is_file() or not path.is_relative_to(package.resolve()):
            raise VendorError(f"{sheet.name} refers to {reference}, which {package.name} does not have")
        yield path


if __name__ == "__main__":
    main()
