import string

import pytest

from gateway.core.errors import InvalidInputError, Kind, TrunklineError, error_classes


def test_message_is_cause_and_next_action_in_both_languages():
    error = InvalidInputError(field="number", reason="empty")
    assert str(error) == "number: empty. Correct the value and send it again."
    assert error.message("zh") == "number：empty。请更正后重新提交。"


def test_a_missing_field_is_a_programming_error():
    with pytest.raises(KeyError):
        InvalidInputError(field="number")


def test_as_dict_carries_the_cause():
    try:
        try:
            int("x")
        except ValueError as error:
            raise InvalidInputError(field="n", reason="no number") from error
    except InvalidInputError as error:
        seen = error.as_dict()
    assert set(seen) == {"code", "title", "detail", "retryable", "cause"}
    assert seen["cause"].startswith("ValueError: ")


def test_kinds_have_exit_codes_of_their_own():
    codes = [kind.exit_code for kind in Kind]
    assert len(set(codes)) == len(codes)
    assert 0 not in codes


def placeholders(template: str) -> set[str]:
    """What a template is filled with; a field whose text is in one language has a twin with ``_zh``."""
    return {name.removesuffix("_zh") for _, name, _, _ in string.Formatter().parse(template) if name}


def test_every_leaf_has_its_own_id_and_the_same_placeholders_in_both_languages():
    seen: dict[str, type[TrunklineError]] = {}
    for leaf in error_classes():
        if leaf.__module__.startswith("tests."):
            continue
        assert leaf.code, leaf
        assert leaf.code not in seen, (leaf, seen.get(leaf.code))
        seen[leaf.code] = leaf
        assert placeholders(leaf.cause.en) == placeholders(leaf.cause.zh), leaf
        assert placeholders(leaf.action.en) == placeholders(leaf.action.zh), leaf
