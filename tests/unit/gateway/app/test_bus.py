from gateway.app.bus import bus_door
from gateway.app.paths import StatePaths
from gateway.bus.options import BusOptions


def test_nobody_can_guess_the_session_of_the_gateway_at_the_private_broker(tmp_path):
    here, there = StatePaths(tmp_path / "a"), StatePaths(tmp_path / "b")
    login, _ = bus_door(BusOptions(), here)
    other, _ = bus_door(BusOptions(), there)
    assert login.client_id.startswith("trunkline-main-")
    assert len(login.client_id) >= len("trunkline-main-") + 32
    assert login.client_id != other.client_id
    assert bus_door(BusOptions(), here)[0].client_id == login.client_id


def test_a_client_id_that_is_given_is_used_as_it_is(tmp_path):
    login, _ = bus_door(BusOptions(client_id="mine"), StatePaths(tmp_path))
    assert login.client_id == "mine"
