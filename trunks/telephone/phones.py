"""The operators' phones: which are there, and which are free."""

from collections.abc import Callable, Sequence

FREE = "NOT_INUSE"
_ABSENT = frozenset({"UNAVAILABLE", "INVALID", ""})
_PREFIX = "PJSIP/"


class Phones:
    """The last device state that Asterisk told of each phone; unknown until it has told any."""

    def __init__(self, numbers: Sequence[str]) -> None:
        self._states = dict.fromkeys(numbers, "")
        self._listeners: list[Callable[[], None]] = []

    def __contains__(self, number: object) -> bool:
        return number in self._states

    def numbers(self) -> list[str]:
        """Return all phones, in the order of the settings."""
        return list(self._states)

    def state(self, number: str) -> str:
        """Return Asterisk's word for it (``NOT_INUSE``, ``INUSE``, ``UNAVAILABLE`` …), empty when unknown."""
        return self._states[number]

    def apply(self, device: str, state: str) -> None:
        """Take a device state as AMI tells it; other devices are none of ours."""
        number = device.removeprefix(_PREFIX)
        if number not in self._states or self._states[number] == state:
            return
        self._states[number] = state
        for listener in self._listeners:
            listener()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call *listener* at every change."""
        self._listeners.append(listener)

    def present(self) -> list[str]:
        """Return the phones that are registered."""
        return [number for number, state in self._states.items() if state not in _ABSENT]

    def free(self) -> list[str]:
        """Return the phones that are registered and not in use."""
        return [number for number, state in self._states.items() if state == FREE]

    def to_ring(self) -> list[str]:
        """Return whom a caller is to ring: the free phones, else those that are there, else all."""
        return self.free() or self.present() or self.numbers()
