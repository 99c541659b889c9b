import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.asterisk import escape
from gateway.asterisk.errors import UnsafeValueError

CLEAN = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n\0"))


def parse_args(line: str) -> list[str]:
    """As res_agi.c parses a command: quotes group, a backslash takes the next character as it is."""
    words: list[str] = []
    quoted = escaped = inside = False
    for character in line:
        if not inside and character == " ":
            continue
        if not inside:
            words.append("")
            inside = True
        if escaped:
            words[-1] += character
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == " " and not quoted:
            inside = False
        else:
            words[-1] += character
    return words


@given(st.lists(CLEAN, min_size=1, max_size=4))
def test_agi_words_come_out_as_they_went_in(values):
    line = b" ".join(escape.agi_word(value) for value in values).decode()
    assert parse_args(line) == values


@given(CLEAN)
def test_application_arguments_keep_their_separators(value):
    escaped = escape.application_argument(value)
    assert re.sub(r"\\(.)", r"\1", escaped, flags=re.DOTALL) == value
    assert not re.search(r'(?<!\\)(?:\\\\)*[,"()\[\]]', escaped)


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b", "\udcff"])
def test_breaks_are_refused(value):
    for function in (escape.agi_word, escape.application_argument):
        with pytest.raises(UnsafeValueError):
            function(value)


@pytest.mark.parametrize("number", ["110", "+8613812345678", "*8#", "0731A"])
def test_numbers_that_are_dialled(number):
    assert escape.dialled_number(number) == number


@pytest.mark.parametrize(
    "number", ["", "101&PJSIP/102", "1,30,g", "1@trunk", "1/2", "1|2", "１１０", "1 2", "11+0", "1" * 65]
)
def test_numbers_that_would_dial_otherwise(number):
    with pytest.raises(UnsafeValueError):
        escape.dialled_number(number)


@pytest.mark.parametrize("name", ["TL_CALL", "CALLERID(name)", "__TL_CALL", "CHANNEL(hangup_handler_push)"])
def test_variable_names(name):
    assert escape.variable_name(name) == name


@pytest.mark.parametrize("name", ["", "A=B", "A,B", "SHELL(rm -rf)", "FILE(/etc/passwd)", "A\nB", "${X}", "A(B)C"])
def test_names_that_are_none(name):
    with pytest.raises(UnsafeValueError):
        escape.variable_name(name)


def test_an_originate_variable():
    assert escape.ami_variable("TL_CALL", 'a,b"c') == 'TL_CALL=a\\,b\\"c'
