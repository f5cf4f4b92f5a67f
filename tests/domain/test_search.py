"""The search language: what is understood, where exactly it is not, and what may be typed next."""

import string
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import examples
from vms.domain.errors import Refusal
from vms.domain.search import LENGTH, Condition, Search, Word, complete, parse, quoted, value, valued


@dataclass(frozen=True)
class Few:
    """A field with few values."""

    values: tuple[str, ...] = ()
    operators: tuple[str, ...] = ("=", "!=")


FIELDS = {"name": Few(), "status": Few(("up", "down", "powering_up")), "headless": Few(("true", "false"))}


def again(text: str) -> str:
    """The search as it is written back."""
    return str(parse(text))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", ""),
        ("   ", ""),
        ("web", "web"),
        ("name=web", "name = web"),
        ("NAME  =  Web*", "NAME = Web*"),
        ("name = web status != up", "name = web and status != up"),
        ("name = web AND status != up", "name = web and status != up"),
        ("memory>=4096 or memory<512", "memory >= 4096 or memory < 512"),
        ("a b or c", "a and b or c"),
        ("a (b or c)", "a and (b or c)"),
        ("((a))", "a"),
        ('name = "two words"', 'name = "two words"'),
        ('name = "a*b"', "name = a*b"),
        (r'name = "a\*b"', r'name = "a\*b"'),
        (r'name = "a\"b\\c"', r'name = "a\"b\\c"'),
        ('name = ""', 'name = ""'),
        ("name = and", "name = and"),
        ("name = sortby", "name = sortby"),
        ("page", "page"),
        ("page 2", "page 2"),
        ("a page 2 b", "a and page and 2 and b"),
        ("a page 2", "a page 2"),
        ("sortby memory", "sortby memory asc"),
        ("a SORTBY memory DESC PAGE 3", "a sortby memory desc page 3"),
        ("ip = 192.168.*", "ip = 192.168.*"),
        ("ip = fe80::1", "ip = fe80::1"),
        ("Templates.name = golden", "Templates.name = golden"),
        ("größe = ähnlich", "größe = ähnlich"),
        ("name = 名前*", "name = 名前*"),
        ("a ! b", 'a and "!" and b'),
        ("android order", "android and order"),
    ],
)
def test_a_search_is_understood_and_can_be_written_back(text: str, written: str) -> None:
    assert again(text) == written
    assert again(written) == written


@pytest.mark.parametrize(
    ("text", "about", "rest"),
    [
        ("Vms: status = up", "vms", "status = up"),
        ("vm:name=a", "vm", "name = a"),
        ("Templates :", "templates", ""),
        ("abc:def", "", "abc:def"),
    ],
)
def test_what_it_is_about_may_stand_before_it(text: str, about: str, rest: str) -> None:
    found = parse(text)
    assert (found.about, str(found)) == (about, rest)


def test_and_binds_before_or_as_in_ovirt() -> None:
    assert again("(a and b) or c") == "a and b or c"
    assert again("a and (b or c)") == "a and (b or c)"


def test_stars_are_told_from_what_stands_between_them() -> None:
    def parts(text: str) -> tuple[str, ...]:
        term = parse(f"name = {text}").term
        assert isinstance(term, Condition)
        return term.value.parts

    assert parts("web") == ("web",)
    assert parts("web*") == ("web", "")
    assert parts("*a*b*") == ("", "a", "b", "")
    assert parts(r"a\*b") == ("a\\", "b")
    assert parts(r'"a\*b c*"') == ("a*b c", "")


def refusal(text: str) -> tuple[str, str, str]:
    """The code, the part of the text that it is about, and the word that is told."""
    with pytest.raises(Refusal) as no:
        parse(text)
    params = no.value.params
    assert no.value.field == "search"
    assert params["position"] == int(str(params["start"])) + 1
    return no.value.code, text[int(str(params["start"])) : int(str(params["end"]))], str(params["word"])


@pytest.mark.parametrize(
    ("text", "code", "marked", "word"),
    [
        ("name =", "SEARCH_UNFINISHED", "", "="),
        ("name = web and ", "SEARCH_UNFINISHED", "", "and"),
        ("a or", "SEARCH_UNFINISHED", "", "or"),
        ("(a", "SEARCH_UNFINISHED", "", "(a"),
        ("sortby", "SEARCH_UNFINISHED", "", "sortby"),
        ('name = "web', "SEARCH_QUOTE_OPEN", '"web', '"web'),
        ("= web", "SEARCH_WORD_MISPLACED", "=", "="),
        ("a or or b", "SEARCH_WORD_MISPLACED", "or", "or"),
        ("name == web", "SEARCH_WORD_MISPLACED", "=", "="),
        ("a )", "SEARCH_WORD_MISPLACED", ")", ")"),
        ("sortby name upwards", "SEARCH_WORD_MISPLACED", "upwards", "upwards"),
        ("sortby name and a", "SEARCH_WORD_MISPLACED", "and", "and"),
        ("()", "SEARCH_WORD_MISPLACED", ")", ")"),
        ("a\0b", "SEARCH_CHARACTER_ILLEGAL", "\0", "\\x00"),
        ("a \ud800", "SEARCH_CHARACTER_ILLEGAL", "\ud800", "\\ud800"),
    ],
)
def test_what_is_not_understood_is_told_with_its_place(text: str, code: str, marked: str, word: str) -> None:
    assert refusal(text) == (code, marked, word)


@pytest.mark.parametrize(
    ("text", "possible"),
    [
        ("name =", {"a value"}),
        ("a and", {"(", "a field or a word"}),
        ("sortby name upwards", {"page", "asc or desc"}),
        ("(a", {")", "and", "or", "(", "a field or a word", "="}),
    ],
)
def test_what_would_be_possible_is_told_with_it(text: str, possible: set[str]) -> None:
    with pytest.raises(Refusal) as no:
        parse(text)
    told = no.value.params["possible"]
    assert isinstance(told, tuple)
    assert set(told) <= possible
    assert told


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x" * (LENGTH + 1), "SEARCH_TOO_LONG"),
        ("a " * 101, "SEARCH_TOO_COMPLEX"),
        ("(a or (b and " * 20 + "c" + "))" * 20, "SEARCH_TOO_COMPLEX"),
        ("(" * 4000 + "a", "SEARCH_UNFINISHED"),
    ],
)
def test_what_is_too_much_is_refused(text: str, code: str) -> None:
    assert refusal(text)[0] == code


def test_parentheses_around_nothing_new_cost_nothing() -> None:
    assert again("(" * 4000 + "a" + ")" * 4000) == "a"


@examples(150)
@given(st.text(st.sampled_from('ab*"()=<>!\\ ÄÖ名\n' + string.printable), max_size=60))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except Refusal as refused:
        no = refused
    else:
        assert again(str(found)) == str(found)
        return
    assert no.code.startswith("SEARCH_")
    assert 0 <= int(str(no.params["start"])) <= len(text)


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"))))
def test_any_value_can_be_typed(text: str) -> None:
    term = parse(f"name = {quoted(text)}").term
    assert isinstance(term, Condition)
    assert term.value.parts == (text,)


def test_terms_are_taken_away_and_added() -> None:
    found = parse("Vms: name = web* and (status = up or status = paused) shop sortby memory page 4")
    assert [str(term) for term in found.terms] == ["name = web*", "(status = up or status = paused)", "shop"]
    assert str(found.without(1)) == "name = web* and shop sortby memory asc"
    assert str(found.without(0).without(0).without(0)) == "sortby memory asc"
    assert str(found.narrowed("tag", "two words")).endswith('and shop and tag = "two words" sortby memory asc')
    assert str(parse("a or b").narrowed("c", "d")) == "(a or b) and c = d"
    assert str(Search().narrowed("headless", "true")) == "headless = true"
    assert str(value("a*b")) == r'"a\*b"'


# -- completion


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("", ["headless", "name", "status"]),
        ("s", ["status"]),
        ("S", ["status"]),
        ("status ", ["and", "or", "sortby", "=", "!=", "headless", "name", "status"]),
        ("status =", ["up", "down", "powering_up"]),
        ("status = p", ["powering_up"]),
        ('status = "p', ["powering_up"]),
        ("name = ", []),
        ("status = up ", ["and", "or", "sortby", "headless", "name", "status"]),
        ("status = up a", ["and"]),
        ("status = up and h", ["headless"]),
        ('name = "a b" s', ["sortby", "status"]),
        ("(", ["headless", "name", "status"]),
        ("sortby ", ["memory", "name"]),
        ("sortby m", ["memory"]),
        ("sortby name ", ["asc", "desc"]),
        ("sortby name d", ["desc"]),
        ("= nonsense ", []),
        ("other = ", []),
    ],
)
def test_what_may_come_next_is_offered(text: str, offered: list[str]) -> None:
    found = complete(text, len(text), FIELDS, {"memory", "name"})
    assert [completion.text for completion in found] == offered
    for completion in found:
        parse_as_far_as_possible(text[: completion.start] + completion.text)


def parse_as_far_as_possible(text: str) -> None:
    """What was offered is no word that cannot stand there."""
    try:
        parse(text)
    except Refusal as no:
        assert no.code == "SEARCH_UNFINISHED"  # noqa: PT017  (most beginnings are unfinished, which is fine)


def test_what_is_offered_replaces_the_word_at_the_cursor() -> None:
    text = "status = up and na = x"
    (only,) = complete(text, text.index(" = x"), FIELDS, ())
    assert (only.text, only.start, only.kind) == ("name", len("status = up and "), "field")


@pytest.mark.parametrize(
    ("text", "found"),
    [("cluster = De", ("cluster", "De")), ('tag = "two w', ("tag", "two w")), ("name ", None), ("a and b", None)],
)
def test_the_value_that_is_being_typed_is_known(text: str, found: tuple[str, str] | None) -> None:
    assert valued(text, len(text)) == found


@pytest.mark.parametrize("cursor", [-5, 0, 3, 10**9])
def test_a_cursor_may_be_anywhere(cursor: int) -> None:
    assert isinstance(complete("name = x", cursor, FIELDS, ()), list)


def test_a_word_knows_where_it_stands() -> None:
    text = "Vms: name = web"
    term = parse(text).term
    assert isinstance(term, Condition)
    assert [text[word.start : word.end] for word in (term.field, term.operator, term.value)] == ["name", "=", "web"]
    assert term.field == Word("name", 5, 9)
