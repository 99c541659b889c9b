"""Voice-operated switching. Pure: levels and time are arguments.

A voice opens it when it has been loud for :data:`VoxRule.attack_s`, and closes it when it has been quiet for the hang
time. What was said meanwhile is not lost: the audio keeps ``pre_roll_s`` before the opening. While this side transmits,
and for a moment after, it hears nothing (anti-lock), or two patched channels would key each other for ever.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class VoxRule:
    """One switch. Levels are in dB below full scale, so -20 is louder than -40."""

    open_db: float = -36.0
    close_db: float = -42.0
    attack_s: float = 0.04
    hang_s: float = 0.8
    anti_lock_s: float = 0.2
    open: bool = False
    _since_s: float | None = None
    _deaf_until_s: float = float("-inf")

    @property
    def pre_roll_s(self) -> float:
        """How much sound before the opening belongs to the voice."""
        return self.attack_s + 0.06

    def hear(self, level_db: float, *, transmitting: bool, now_s: float) -> bool | None:
        """Take the level of one frame; return the new state when it changed."""
        if transmitting:
            self._deaf_until_s = now_s + self.anti_lock_s
        deaf = now_s < self._deaf_until_s
        wanted = not deaf and level_db >= (self.close_db if self.open else self.open_db)
        if wanted == self.open:
            self._since_s = None
            return None
        if self._since_s is None:
            self._since_s = now_s
        if deaf or now_s - self._since_s >= (self.attack_s if wanted else self.hang_s):
            self.open, self._since_s = wanted, None
            return wanted
        return None
