"""Texts as they are searched: which comparisons a database answers from an index, in each database's own way."""

import re
from collections.abc import Sequence
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.backends.ddl_references import Statement, Table
from django.db.models import CharField, Lookup, TextField

_TRIGRAM: Final = 3  # a shorter part of a word is in no index of trigrams


def fold(text: str) -> str:
    """A text as it is compared: capital and small letters alike, in every script."""
    return text.casefold()


class TrigramIndex(models.Index):
    """Finds the texts that hold a part, by pg_trgm; what SQLite has for that is kept by `keep_full_text`."""

    def create_sql(self, model: Any, schema_editor: Any, using: str = "", **kwargs: Any) -> Statement:
        if schema_editor.connection.vendor != "postgresql":
            return Statement("SELECT 1")
        schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm", params=None)
        (column,) = self.fields
        table = Table(model._meta.db_table, schema_editor.quote_name)
        on = f'CREATE INDEX "{self.name}" ON %(table)s USING gin ("{column}" gin_trgm_ops)'
        return Statement(on, table=table)

    def remove_sql(self, model: Any, schema_editor: Any, **kwargs: Any) -> str:
        return f'DROP INDEX "{self.name}"' if schema_editor.connection.vendor == "postgresql" else "SELECT 1"


# SQLite: a full-text table beside `SearchText`, which keeps the texts, and triggers that keep it up to date.
_FULL_TEXT: Final = """
CREATE VIRTUAL TABLE IF NOT EXISTS vms_text_trigrams
    USING fts5(text, content='vms_searchtext', content_rowid='id', tokenize='trigram');
CREATE TRIGGER IF NOT EXISTS vms_text_trigrams_insert AFTER INSERT ON vms_searchtext BEGIN
    INSERT INTO vms_text_trigrams (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER IF NOT EXISTS vms_text_trigrams_delete AFTER DELETE ON vms_searchtext BEGIN
    INSERT INTO vms_text_trigrams (vms_text_trigrams, rowid, text) VALUES ('delete', old.id, old.text);
END;
CREATE TRIGGER IF NOT EXISTS vms_text_trigrams_update AFTER UPDATE ON vms_searchtext BEGIN
    INSERT INTO vms_text_trigrams (vms_text_trigrams, rowid, text) VALUES ('delete', old.id, old.text);
    INSERT INTO vms_text_trigrams (rowid, text) VALUES (new.id, new.text);
END;
INSERT INTO vms_text_trigrams (vms_text_trigrams) VALUES ('rebuild');
"""
_TRIGGERS: Final = _FULL_TEXT.count("CREATE TRIGGER")


def keep_full_text(using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """After migrations, which may have made the table anew and so dropped its triggers."""
    connection = connections[using]
    tables = connection.introspection.table_names()
    if connection.vendor != "sqlite" or SearchText._meta.db_table not in tables:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'vms_searchtext'")
        if cursor.fetchone()[0] < _TRIGGERS:
            for statement in re.split(r";\n(?=[CI])", _FULL_TEXT.strip()):
                cursor.execute(statement)


class SearchText(models.Model):
    """One text of a machine, folded; apart from its row, whose status changes all day while its texts do not.

    A field with several values has several.
    """

    id = models.BigAutoField(primary_key=True)
    vm = models.ForeignKey("VM", models.CASCADE, related_name="texts")
    field = models.CharField(max_length=16)
    text = models.TextField()

    class Meta:
        indexes = (TrigramIndex(fields=["text"], name="vms_text_trigrams"),)

    def __str__(self) -> str:
        return f"{self.field}: {self.text}"


_Sql = tuple[str, tuple[Any, ...]]


class _Pattern(Lookup):
    """A text with stars in it: the right side is what stands between them."""

    rhs: Sequence[str]

    def get_prep_lookup(self) -> Any:
        return tuple(self.rhs)

    def left(self, compiler: Any, connection: Any) -> _Sql:
        sql, params = self.process_lhs(compiler, connection)
        return sql, tuple(params)


@CharField.register_lookup
@TextField.register_lookup
class Alike(_Pattern):
    """Equal but for capital and small letters (on SQLite but for those of ASCII)."""

    lookup_name = "alike"

    def as_sql(self, compiler: Any, connection: Any) -> _Sql:
        left, params = self.left(compiler, connection)
        return f"UPPER({left}) LIKE UPPER(%s) ESCAPE '\\'", (*params, like(self.rhs))


@CharField.register_lookup
@TextField.register_lookup
class Same(_Pattern):
    """Equal, capital and small letters told apart."""

    lookup_name = "same"

    def as_sql(self, compiler: Any, connection: Any) -> _Sql:
        left, params = self.left(compiler, connection)
        return f"{left} LIKE %s ESCAPE '\\'", (*params, like(self.rhs))

    def as_sqlite(self, compiler: Any, connection: Any) -> _Sql:
        # Its LIKE does not tell them apart.
        left, params = self.left(compiler, connection)
        globs = ("".join(f"[{each}]" if each in "*?[" else each for each in part) for part in self.rhs)
        return f"{left} GLOB %s", (*params, "*".join(globs))


@CharField.register_lookup
class Begins(Lookup):
    """Begins with the text, read from an index: by its pattern on PostgreSQL, as a range on SQLite."""

    lookup_name = "begins"

    def as_postgresql(self, compiler: Any, connection: Any) -> _Sql:
        left, params = self.process_lhs(compiler, connection)
        return f"{left} LIKE %s", (*params, like((self.rhs, "")))

    def as_sqlite(self, compiler: Any, connection: Any) -> _Sql:
        left, params = self.process_lhs(compiler, connection)
        return f"({left} >= %s AND {left} < %s)", (*params, self.rhs, *params, f"{self.rhs}\U0010ffff")


@TextField.register_lookup
class Holds(_Pattern):
    """Is like the pattern; its longer parts are read from the `TrigramIndex` of the column."""

    lookup_name = "holds"

    def as_sql(self, compiler: Any, connection: Any) -> _Sql:
        left, params = self.left(compiler, connection)
        return f"{left} LIKE %s", (*params, like(self.rhs))

    def as_sqlite(self, compiler: Any, connection: Any) -> _Sql:
        left, params = self.left(compiler, connection)
        fits = f"{left} LIKE %s ESCAPE '\\'"
        phrases = ['"{}"'.format(part.replace('"', '""')) for part in self.rhs if len(part) >= _TRIGRAM]
        if not phrases:
            return fits, (*params, like(self.rhs))
        alias = left.rpartition(".")[0]
        found = 'SELECT rowid FROM "vms_text_trigrams" WHERE "vms_text_trigrams" MATCH %s'
        return f'({alias}."id" IN ({found}) AND {fits})', (" ".join(phrases), *params, like(self.rhs))


def like(parts: Sequence[str]) -> str:
    """The pattern of SQL for what stands between stars; its escapes are backslashes."""
    escaped = (part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for part in parts)
    return "%".join(escaped)
