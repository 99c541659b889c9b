"""Laws of the line table, and who gets which line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import InternalError
from trunks.telephone.lines import TABLE, LineInput, Lines, LineState, step
from trunks.telephone.options import UNASSIGNED_LINE, LineOptions, TelephoneOptions


def test_the_table_is_total() -> None:
    assert set(TABLE) == set(LineState)
    assert all(set(row) == set(LineInput) for row in TABLE.values())


@pytest.mark.parametrize("start", LineState)
def test_idle_and_out_of_service_are_reached_from_everywhere(start: LineState) -> None:
    reached, frontier = {start}, [start]
    while frontier:
        for after in TABLE[frontier.pop()].values():
            if after is not None and after not in reached:
                reached.add(after)
                frontier.append(after)
    assert {LineState.IDLE, LineState.OUT_OF_SERVICE} <= reached


def test_what_cannot_happen_is_an_error() -> None:
    with pytest.raises(InternalError, match="SEIZED"):
        step(LineState.IN_CALL, LineInput.SEIZED)


def lines() -> Lines:
    return Lines(
        [
            LineOptions(name="line-1", numbers=("88880001",), group="119", priority=1),
            LineOptions(name="line-2", numbers=("88880002",), group="119", priority=2),
            LineOptions(name="line-3", numbers=("88880003",), direction="in", priority=3),
            LineOptions(name="line-4", direction="out", priority=4),
        ]
    )


def test_a_caller_gets_the_called_line_then_its_group_then_none() -> None:
    board = lines()
    board.restored()
    assert board.line_of_number("88880002") == "line-2"
    assert board.line_of_number("110") == UNASSIGNED_LINE
    assert [board.offer(call, "line-2") for call in "abc"] == ["line-2", "line-1", UNASSIGNED_LINE]
    assert board.offer("a", "line-1") == "line-2"  # asked twice, answered alike
    board.cleared("a")
    assert board.offer("d", "line-2") == "line-2"


def test_an_unknown_number_takes_any_line_that_may_ring() -> None:
    board = lines()
    assert [board.offer(call, UNASSIGNED_LINE) for call in "abcd"] == ["line-1", "line-2", "line-3", UNASSIGNED_LINE]


def test_dialling_leaves_the_first_lines_to_callers() -> None:
    board = lines()
    assert board.seize("x") is None  # out of service
    board.restored()
    assert [board.seize(call) for call in "abcd"] == ["line-4", "line-2", "line-1", None]
    assert board.seize("e", "line-3") is None


def test_a_call_outlives_the_sight_of_asterisk() -> None:
    board = lines()
    board.restored()
    board.offer("a", "line-1")
    board.lost()
    assert board.now("line-1").state is LineState.RINGING
    assert board.now("line-2").state is LineState.OUT_OF_SERVICE
    board.cleared("a")
    assert board.now("line-1").state is LineState.OUT_OF_SERVICE
    board.restored()
    assert {board.now(name).state for name in board.names()} == {LineState.IDLE}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["offer", "seize", "adopt", "answer", "clear", "lost", "restored"]), st.integers(0, 11)
        )
    )
)
def test_no_sequence_breaks_the_board(steps: list[tuple[str, int]]) -> None:
    board = Lines(TelephoneOptions().lines)
    for what, number in steps:
        call = f"call-{number}"
        match what:
            case "offer":
                board.offer(call, f"line-{number}")
            case "seize" if board.of_call(call) is None:
                board.seize(call)
            case "adopt":
                board.adopt(call, f"line-{number}", outgoing=number % 2 == 0)
            case "answer":
                board.answered(call)
            case "clear":
                board.cleared(call)
            case "lost":
                board.lost()
            case "restored":
                board.restored()
        taken = [board.now(name).call for name in board.names() if board.now(name).call]
        assert len(taken) == len(set(taken))
        assert all(board.of_call(call) is not None for call in taken)
