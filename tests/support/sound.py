"""Telephone sound for tests: A-law bytes (8 kHz, mono) made and judged without any library."""

import math
from collections.abc import Sequence

RATE = 8000


def _decode(code: int) -> int:
    # ITU-T G.711 table 1a: even bits inverted, sign, 3-bit segment, 4-bit step
    code ^= 0x55
    step, segment = code & 0x0F, (code >> 4) & 0x07
    value = (step << 4) + 8 if segment == 0 else ((step << 4) + 0x108) << (segment - 1)
    return value if code & 0x80 else -value


_VALUES = tuple(_decode(code) for code in range(256))
_SORTED = sorted(range(256), key=_VALUES.__getitem__)


def _encode(sample: float) -> int:
    return min(_SORTED, key=lambda code: abs(_VALUES[code] - sample))


def decode(data: bytes) -> list[int]:
    """Return the samples of A-law bytes."""
    return [_VALUES[code] for code in data]


def tone(frequency: float, seconds: float, level: float = 8000.0) -> bytes:
    """Return a sine as A-law. Whole periods repeat without a click where frequency * seconds is whole."""
    period = [_encode(level * math.sin(2 * math.pi * frequency * n / RATE)) for n in range(RATE)]
    return bytes(period[n % RATE] for n in range(round(seconds * RATE)))


def share(samples: Sequence[int], frequency: float) -> float:
    """Return which part of the energy lies at *frequency* (Goertzel's filter): 0 none, 1 all of it."""
    energy = sum(value * value for value in samples)
    if not energy:
        return 0.0
    turn = 2 * math.cos(2 * math.pi * frequency / RATE)
    before = last = 0.0
    for value in samples:
        before, last = last, value + turn * last - before
    power = before * before + last * last - turn * before * last
    return 2 * power / (len(samples) * energy)


def heard(data: bytes, frequency: float, window_s: float = 0.2) -> float:
    """Return for how many seconds *frequency* is most of the sound in A-law *data*."""
    size = round(window_s * RATE)
    samples = decode(data)
    windows = [samples[start : start + size] for start in range(0, len(samples) - size + 1, size)]
    return sum(window_s for window in windows if share(window, frequency) > 0.7)
