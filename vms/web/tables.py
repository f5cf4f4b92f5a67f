"""Facts and small tables of texts, as data."""

from dataclasses import dataclass

from vms.messages import Text


@dataclass(frozen=True)
class Fact:
    """One line of a General tab."""

    label: Text
    text: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cell:
    """A text, perhaps with what is less important behind it, and perhaps a link."""

    text: Text
    aside: Text = ""
    url: str = ""


@dataclass(frozen=True)
class Table:
    """A heading, headings of columns, and rows of cells; `nothing` is said where there are none."""

    title: Text
    columns: tuple[Text, ...]
    rows: list[tuple[Cell, ...]]
    nothing: Text

    @property
    def lines(self) -> list[list[tuple[Text, Cell]]]:
        """Each row as cells with the headings of their columns."""
        return [list(zip(self.columns, row, strict=True)) for row in self.rows]
