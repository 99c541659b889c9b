"""Text as UCS-2 user data, which phones read as UTF-16 in big-endian order, pure."""

from sms.errors import SmsTextError


def encode(text: str) -> bytes:
    """Return *text* in UTF-16BE; raise :class:`SmsTextError` for half a surrogate pair."""
    try:
        return text.encode("utf-16-be")
    except UnicodeEncodeError as error:
        raise SmsTextError(reason=f"character {error.start + 1} is half a surrogate pair") from error


def decode(octets: bytes) -> str:
    """Return the text; half a pair or half a unit becomes U+FFFD, because what did arrive has to be shown.

    A sender may have cut a pair in two between segments: join the octets of all segments first.
    """
    return octets.decode("utf-16-be", "replace")


def units_of(char: str) -> int:
    """Return how many 16-bit units a character takes: 1, or 2 outside the basic plane."""
    return 1 if ord(char) < 0x10000 else 2
