"""oVirt's search language: `Vms: status = up and (name = web* or tag = shop) sortby memory desc page 2`.

Text becomes a tree, or a `Refusal` that names the offending word with its place; what may come next is told from the
same grammar. Which fields there are and what they find is not known here.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Protocol, Self, cast

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from .errors import Refusal

LENGTH: Final = 10_000  # characters of a search
TERMS: Final = 100  # conditions and words in it
DEPTH: Final = 16  # parentheses within each other

_GRAMMAR: Final = r"""
    start: [OBJECT] [either] [order] [page]
    either: both (_OR both)*
    both: _term (_AND? _term)*
    _term: condition | free | _OPEN either _CLOSE
    condition: NAME OPERATOR (VALUE | QUOTED)
    free: NAME | QUOTED
    order: _SORTBY NAME [DIRECTION]
    page: _PAGE NUMBER

    OBJECT.3: /(vm|template|pool|instancetype|host|cluster|datacenter|event|user|job)s?\s*:/i
    _SORTBY.2: /sortby(?=[\s()"]|$)/i
    _PAGE.2: /page(?=\s+[0-9]+\s*$)/i
    _AND.2: /and(?=[\s()"]|$)/i
    _OR.2: /or(?=[\s()"]|$)/i
    DIRECTION.2: /(asc|desc)(?=\s|$)/i
    NUMBER.2: /[0-9]{1,9}/
    OPERATOR: "!=" | ">=" | "<=" | "=" | ">" | "<"
    NAME: /(?!(and|or|sortby)([\s()"]|$))(?:[^\s"=<>!()]|!(?!=))+/i
    VALUE: /(?:[^\s"=<>!()]|!(?!=))+/
    QUOTED: /"(?:[^"\\]|\\.)*"/s
    _OPEN: "("
    _CLOSE: ")"
    %ignore /\s+/
"""
# What the grammar calls it → what people may type there.
_WORDS: Final[dict[str, str]] = {
    "_AND": "and",
    "_OR": "or",
    "_SORTBY": "sortby",
    "_PAGE": "page",
    "_OPEN": "(",
    "_CLOSE": ")",
    "OPERATOR": "=",
    "NAME": "a field or a word",
    "VALUE": "a value",
    "NUMBER": "a number",
    "DIRECTION": "asc or desc",
}


class Field(Protocol):
    """What the language has to know of a field: how it may be compared, and its values where they are few."""

    @property
    def operators(self) -> tuple[str, ...]: ...

    @property
    def values(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it was typed, and where; `parts` are what stands between the stars of a value."""

    text: str
    start: int = 0
    end: int = 0
    parts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return _typed(self.parts) if self.parts else self.text


def value(text: str) -> Word:
    """A value that is meant as it stands: its stars are stars."""
    return Word(text, parts=(text,))


@dataclass(frozen=True, slots=True)
class Condition:
    """A field compared with a value."""

    field: Word
    operator: Word
    value: Word

    def __str__(self) -> str:
        return f"{self.field.text} {self.operator.text} {self.value}"


@dataclass(frozen=True, slots=True)
class Free:
    """A word that is looked for wherever people write."""

    value: Word

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True, slots=True)
class Every:
    """All of the terms; `size` counts what stands in it, `depth` how deep."""

    terms: tuple["Term", ...]
    size: int = field(default=1, compare=False)
    depth: int = field(default=1, compare=False)

    def __str__(self) -> str:
        return " and ".join(str(term) for term in self.terms)


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of the terms."""

    terms: tuple["Term", ...]
    size: int = field(default=1, compare=False)
    depth: int = field(default=1, compare=False)

    def __str__(self) -> str:
        return "({})".format(" or ".join(str(term) for term in self.terms))


Term = Condition | Free | Every | Either


@dataclass(frozen=True, slots=True)
class Order:
    """The field that the rows are sorted by."""

    field: Word
    descending: bool = False

    def __str__(self) -> str:
        return f"sortby {self.field.text} {'desc' if self.descending else 'asc'}"


@dataclass(frozen=True)
class Search:
    """What is looked for: nothing but the object means everything; `page` 0 means that none was named."""

    about: str = ""
    term: Term | None = None
    order: Order | None = None
    page: int = 0

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """What has to be true at once: the chips above a list."""
        if self.term is None:
            return ()
        return self.term.terms if isinstance(self.term, Every) else (self.term,)

    def without(self, place: int) -> Self:
        """The search with one of its terms taken away; from its first page on."""
        return self._of(term for at, term in enumerate(self.terms) if at != place)

    def narrowed(self, name: str, text: str, operator: str = "=") -> Self:
        """The search with one more condition; from its first page on."""
        return self._of([*self.terms, Condition(Word(name), Word(operator), value(text))])

    def _of(self, terms: Iterable[Term]) -> Self:
        left = tuple(terms)
        return replace(self, term=Every(left) if len(left) > 1 else left[0] if left else None, page=0)

    def __str__(self) -> str:
        term = str(self.term).removeprefix("(").removesuffix(")") if isinstance(self.term, Either) else self.term
        page = f"page {self.page}" if self.page else None
        return " ".join(str(part) for part in (term, self.order, page) if part is not None)


@dataclass(frozen=True, slots=True)
class Completion:
    """What may stand at the cursor: `text` replaces everything from `start` to the cursor."""

    text: str
    start: int
    kind: str = field(default="word", compare=False)


def parse(text: str) -> Search:
    """What a search says; refused with the word that cannot stand where it does."""
    if len(text) > LENGTH:
        raise refused("SEARCH_TOO_LONG", Word(text, LENGTH, len(text)), limit=LENGTH)
    if bad := re.search("[\0-\x08\x0e-\x1f\x7f\ud800-\udfff]", text):
        raise refused("SEARCH_CHARACTER_ILLEGAL", Word(ascii(bad[0]).strip("'"), bad.start(), bad.end()))
    try:
        found = cast(Search, _PARSER.parse(text))
    except UnexpectedInput as error:
        raise _misplaced(error, text) from error
    return found


def complete(text: str, cursor: int, fields: Mapping[str, Field], orders: Collection[str]) -> list[Completion]:
    """What may be typed at the cursor, as far as it is words of the language; values that are data come beside."""
    head, begun = _at_cursor(text, cursor)
    state = _fed(head)
    if state is None:
        return []
    typed, accepted = [str(word) for word in state.parser_state.value_stack], state.accepts()
    after_sortby = "_SORTBY" in {getattr(word, "type", "") for word in state.parser_state.value_stack[-1:]}
    joins = [_WORDS[name] for name in ("_AND", "_OR", "_SORTBY") if name in accepted and head.strip()]
    offered = [(word, "keyword") for word in joins]
    if "OPERATOR" in accepted and typed and typed[-1].lower() in fields:
        offered += [(operator, "operator") for operator in fields[typed[-1].lower()].operators]
    if "VALUE" in accepted and len(typed) > 1 and typed[-2].lower() in fields:
        offered += [(quoted(value), "value") for value in fields[typed[-2].lower()].values]
    if "NAME" in accepted:
        offered += [(name, "field") for name in sorted(orders if after_sortby else fields)]
    if "DIRECTION" in accepted:
        offered += [("asc", "keyword"), ("desc", "keyword")]
    wanted = begun.lower().lstrip('"')
    fitting = [(word, kind) for word, kind in offered if word.lower().lstrip('"').startswith(wanted)]
    return [Completion(word, len(head), kind) for word, kind in fitting]


def valued(text: str, cursor: int) -> tuple[str, str] | None:
    """The field whose value is being typed at the cursor, and what there is of the value; None elsewhere."""
    head, begun = _at_cursor(text, cursor)
    state = _fed(head)
    if state is None or "VALUE" not in state.accepts():
        return None
    return str(state.parser_state.value_stack[-2]).lower(), begun.lstrip('"')


def quoted(text: str) -> str:
    """A value that is meant as it stands, as it has to be typed."""
    return _typed((text,))


def _typed(parts: Collection[str]) -> str:
    text = "*".join(parts)
    if text and not any(re.search(r'[\s"=<>!()*]', part) for part in parts):
        return text
    return '"{}"'.format("*".join(re.sub(r'(["\\*])', r"\\\1", part) for part in parts))


def _at_cursor(text: str, cursor: int) -> tuple[str, str]:
    """What stands before the word at the cursor, and what there is of that word."""
    before = text[: max(0, cursor)][:LENGTH]
    begun = re.search(r'(?:"(?:[^"\\]|\\.)*|[^\s"=<>!()]*)\Z', before)
    # An open quotation mark begins the word; one that closes another does not.
    if begun and before[begun.start() :].startswith('"') and before[: begun.start() + 1].count('"') % 2 == 0:
        begun = re.search(r'[^\s"=<>!()]*\Z', before)
    at = begun.start() if begun else len(before)
    return before[:at], before[at:]


def _fed(head: str) -> Any:
    """The parser after all that stands before the cursor; None when that is nonsense."""
    state = _GUESSER.parse_interactive(head)
    try:
        state.exhaust_lexer()
    except UnexpectedInput:
        return None
    return state


class _Builder(Transformer[Token, Search]):
    """Builds the tree from the leaves, so that no depth of parentheses costs a recursion."""

    def start(self, parts: list[Any]) -> Search:
        about, term, order, page = parts
        return Search(str(about or "").rstrip(": \t\r\n").lower(), term, order, page or 0)

    def either(self, terms: list[Term]) -> Term:
        return _joined(Either, terms)

    def both(self, terms: list[Term]) -> Term:
        return _joined(Every, terms)

    def condition(self, tokens: list[Token]) -> Term:
        name, operator, value = tokens
        return Condition(_word(name), _word(operator), _value(value))

    def free(self, tokens: list[Token]) -> Term:
        return Free(_value(tokens[0]))

    def order(self, tokens: list[Token]) -> Order:
        return Order(_word(tokens[0]), str(tokens[1] or "").lower() == "desc")

    def page(self, tokens: list[Token]) -> int:
        return int(tokens[0])


def _joined(kind: type[Every] | type[Either], terms: list[Term]) -> Term:
    if len(terms) == 1:
        return terms[0]
    inside = [term for term in terms if isinstance(term, Every | Either)]
    size = len(terms) + sum(term.size for term in inside)
    depth = 1 + max((term.depth for term in inside), default=0)
    if size > TERMS or depth > DEPTH:
        raise refused("SEARCH_TOO_COMPLEX", Word(""), terms=TERMS, depth=DEPTH)
    flat = (each for term in terms for each in (term.terms if isinstance(term, kind) else (term,)))
    return kind(tuple(flat), size, depth)


def _word(token: Token) -> Word:
    return Word(str(token), token.start_pos or 0, token.end_pos or 0)


def _value(token: Token) -> Word:
    text = str(token)
    parts = _unquoted(text[1:-1]) if token.type == "QUOTED" else text.split("*")
    return Word("*".join(parts), token.start_pos or 0, token.end_pos or 0, tuple(parts))


def _unquoted(text: str) -> list[str]:
    """What stands between the stars; a character after a backslash is only that character."""
    parts = [""]
    for escaped, character in re.findall(r"\\(.)|(.)", text, re.DOTALL):
        if character == "*":
            parts.append("")
        else:
            parts[-1] += escaped or character
    return parts


def _misplaced(error: UnexpectedInput, text: str) -> Refusal:
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        last = re.search(r"\S+\s*\Z", text)
        word = Word(last[0].strip() if last else "", len(text), len(text))
        return refused("SEARCH_UNFINISHED", word, possible=_possible(error.accepts or ()))
    start: int = getattr(error, "pos_in_stream", 0)
    if text[start] == '"' and isinstance(error, UnexpectedCharacters):
        return refused("SEARCH_QUOTE_OPEN", Word(text[start:], start, len(text)))
    found = str(error.token) if isinstance(error, UnexpectedToken) else text[start]
    accepted: Iterable[str] = getattr(error, "accepts", None) or getattr(error, "allowed", None) or ()
    return refused("SEARCH_WORD_MISPLACED", Word(found, start, start + len(found)), possible=_possible(accepted))


def _possible(accepted: Iterable[str]) -> tuple[str, ...]:
    return tuple(word for name, word in _WORDS.items() if name in accepted)


def refused(code: str, word: Word, **params: object) -> Refusal:
    """A no about one word of a search, with its place (`position` counts from 1, for people)."""
    shown = word.text if len(word.text) <= 60 else f"{word.text[:60]}…"
    place = {"position": word.start + 1, "start": word.start, "end": word.end}
    return Refusal(code, "search", word=shown, **place, **params)


_PARSER: Final = Lark(_GRAMMAR, parser="lalr", transformer=_Builder())
_GUESSER: Final = Lark(_GRAMMAR, parser="lalr", keep_all_tokens=True)
