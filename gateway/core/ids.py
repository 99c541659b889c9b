"""Identifiers minted by the gateway: sortable by time, and fit for a topic level."""

import hashlib
import re
import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case
_TIME_CHARS = 10
_RANDOM_CHARS = 16

LEVEL_PATTERN = re.compile(r"[a-z0-9_-]{1,32}")


def new_id(wall_ms: int | None = None) -> str:
    """Return 26 characters: 48 bits of milliseconds since 1970, then 80 random bits (the ULID layout, lower case)."""
    milliseconds = time.time_ns() // 1_000_000 if wall_ms is None else wall_ms
    return _base32(milliseconds, _TIME_CHARS) + _base32(secrets.randbits(80), _RANDOM_CHARS)


def derived_id(seed: str, wall_ms: int) -> str:
    """Return the identifier that *seed* always has: the same form as :func:`new_id`, the random bits from SHA-256."""
    digest = hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest()
    return _base32(wall_ms, _TIME_CHARS) + _base32(int.from_bytes(digest[:10]), _RANDOM_CHARS)


def is_level(text: str) -> bool:
    """Tell whether *text* may stand as one level of a topic: ``[a-z0-9_-]{1,32}``."""
    return LEVEL_PATTERN.fullmatch(text) is not None


def _base32(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
