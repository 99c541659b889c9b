import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import InvalidInputError
from trunks.radio import lip


@pytest.mark.parametrize(
    "digits", ["0A112853A9FF4D4FFFE810", "0A112853A9FF4D4FFFE81", "112853A9FF4D4FFFE81", "0a112853a9ff4d4fffe810"]
)
def test_a_report_of_a_real_motorola_radio(digits):
    position = lip.decode(digits)
    assert (round(position.lat, 5), round(position.lon, 5)) == (44.93864, 26.04435)
    assert (position.reason, position.heading_deg, position.speed_kmh, position.error_m) == (129, 337.5, None, None)
    assert not position.emergency
    assert lip.encode(position) == "0A112853A9FF4D4FFFE81"


def test_an_emergency_south_and_west():
    position = lip.Position(-33.5, -70.6, error_m=20, speed_kmh=40.0, heading_deg=90.0, reason=2)
    back = lip.decode(lip.encode(position))
    assert back.emergency
    assert back.lat == pytest.approx(-33.5, abs=1e-4)
    assert back.lon == pytest.approx(-70.6, abs=1e-4)
    assert (back.error_m, back.heading_deg) == (20, 90.0)
    assert back.speed_kmh == pytest.approx(40.0, rel=0.02)


def test_speed_is_linear_and_then_by_powers():
    assert lip.SPEEDS_KMH[28] == 28.0
    assert lip.SPEEDS_KMH[29] == pytest.approx(16 * 1.038**16)
    assert lip.SPEEDS_KMH[126] == pytest.approx(1087, rel=0.01)


def test_data_of_the_user_are_no_reason():
    position = lip.Position(30.25, 120.17, user_data=2)
    back = lip.decode(lip.encode(position))
    assert (back.user_data, back.reason, back.emergency) == (2, None, False)


@given(
    st.builds(
        lip.Position,
        st.floats(-90, 90),
        st.floats(-179.9, 179.9),
        st.integers(0, 3),
        st.sampled_from([None, 2, 20, 200, 2000]),
        st.none() | st.sampled_from(range(29)).map(float),
        st.integers(0, 15).map(lambda step: step * 22.5),
        st.integers(0, 255),
    )
)
def test_what_is_written_is_read_again(position):
    back = lip.decode(lip.encode(position))
    assert back.lat == pytest.approx(position.lat, abs=2e-5)
    assert back.lon == pytest.approx(position.lon, abs=2e-5)
    names = ("elapsed", "error_m", "speed_kmh", "heading_deg", "reason")
    assert [getattr(back, name) for name in names] == [getattr(position, name) for name in names]
    assert lip.encode(back) == lip.encode(position)


@given(st.text(alphabet="0123456789ABCDEFgx ", max_size=40))
def test_anything_is_a_position_or_refused(digits):
    try:
        lip.decode(digits).as_dict()
    except InvalidInputError as error:
        assert error.code == "input.invalid"  # noqa: PT017


def test_a_long_report_is_refused():
    with pytest.raises(InvalidInputError):
        lip.decode("0A" + "4" * 20)
