"""A serial line's words as plain lines: nothing that a terminal or a page would obey, and nothing lost."""

import time

from vms.domain.transcript import LONGEST, Transcript, plain

BOOT = "\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS (version 1.16.2-debian-1.16.2-1)\r\n"


def test_what_a_terminal_obeys_is_taken_out() -> None:
    hostile = {
        "\x1b[31mred\x1b[0m": "red",
        "\x1b]0;a title\x07after": "after",
        "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\": "link",
        "\x1b]52;c;cm0gLXJm\x07x": "x",
        "\x1bP1$r\x1b\\y": "y",
        "\x1b(0\x1b=z": "z",
        "a\x00\x01\x7f\x9b31mb": "a31mb",
        "left\u202etfel": "lefttfel",
        "tab\tstays": "tab\tstays",
        "typo\b\b\bext": "text",
        "\b\b\x1b": "",
        "<script>": "<script>",
    }
    for said, shown in hostile.items():
        assert Transcript(said).lines == [shown], said


def test_a_command_that_never_ends_takes_no_other_line_with_it() -> None:
    assert Transcript("\x1b]0;for ever\nnext\x1b[").lines == ["", "next"]


def test_what_overwrites_its_line_is_kept() -> None:
    assert Transcript("10%\r50%\r100%\r\r\ndone\r\n").lines == ["10%", "50%", "100%", "done", ""]


def test_a_line_without_end_is_cut_and_megabytes_take_no_time() -> None:
    assert Transcript("x" * 5000).lines == ["x" * LONGEST + "…"]
    began = time.perf_counter()
    for hostile in ("\x1b]" * 1_000_000, "\x1b[" * 1_000_000, "a\b" * 1_000_000, "x" * 3_000_000, "\r" * 3_000_000):
        Transcript(hostile)
    assert time.perf_counter() - began < 10


def test_it_knows_where_the_guest_booted() -> None:
    said = Transcript(f"{BOOT}Linux\r\nlogin:\r\n{BOOT}Linux again\r\n")
    assert said.boots == [1, 4]
    assert [said.boot_before(number) for number in (1, 3, 4, 6)] == [1, 1, 4, 4]
    assert Transcript("no firmware\n").boot_before(2) == 1


def test_words_are_found_in_any_case_the_last_ones_first_when_there_are_too_many() -> None:
    said = Transcript("\n".join(f"Error {number}" for number in range(1, 6)))
    assert said.find("eRRor", 2) == ([(4, "Error 4"), (5, "Error 5")], 5)
    assert said.find("nothing", 2) == ([], 0)
    assert said.window(2, 2) == [(2, "Error 2"), (3, "Error 3")]


def test_a_text_for_a_file_is_plain_as_well() -> None:
    assert plain(f"{BOOT}\x1b[1mbold\r\n") == "SeaBIOS (version 1.16.2-debian-1.16.2-1)\nbold\n\n"
