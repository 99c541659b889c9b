"""What may stand in a value on its way to Asterisk: AMI headers and variables, AGI words, dial strings."""

import re

from gateway.asterisk.errors import UnsafeValueError

AMI_LINE_LIMIT = 1022
"""Bytes of one AMI line without its end: manager.c reads lines into 1024 bytes and discards a longer one whole."""
AGI_LINE_LIMIT = 8190
"""Bytes of one AGI command without its end: res_agi.c reads into 8192 bytes, and a partial line spins its thread."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_VARIABLE = re.compile(r"[A-Za-z0-9_]{1,80}(?:\([A-Za-z0-9_,:-]{0,80}\))?")
_DIALLED = re.compile(r"\+?[0-9A-Da-d*#]{1,64}")
_BREAKS = re.compile(r"[\r\n\0]")
_SEPARATORS = re.compile(r'([\\,"()\[\]])')


def wire_bytes(field: str, value: str) -> bytes:
    """Return *value* in UTF-8; raise :class:`UnsafeValueError` on CR, LF, NUL or half a surrogate pair."""
    if _BREAKS.search(value):
        raise UnsafeValueError(field=field, reason="it holds a line break or NUL")
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnsafeValueError(field=field, reason="it is not valid Unicode") from error


def ami_line(name: str, value: str) -> bytes:
    """Return one header line of AMI with its end."""
    if _NAME.fullmatch(name) is None:
        raise UnsafeValueError(field=repr(name), reason="it is not a header name")
    line = b"%b: %b" % (name.encode("ascii"), wire_bytes(name, value))
    if len(line) > AMI_LINE_LIMIT:
        raise UnsafeValueError(field=name, reason=f"it is longer than {AMI_LINE_LIMIT} bytes")
    return line + b"\r\n"


def variable_name(name: str) -> str:
    """Return *name* when it names a channel variable or a dialplan function (``CALLERID(name)``)."""
    if _VARIABLE.fullmatch(name) is None:
        raise UnsafeValueError(field=repr(name), reason="it is not a variable name")
    return name


def ami_variable(name: str, value: str) -> str:
    r"""Return ``NAME=value`` for the ``Variable`` header of Originate.

    Asterisk splits that header at commas like application arguments, so separators are escaped by a backslash.
    """
    return variable_name(name) + "=" + application_argument(value)


def application_argument(value: str) -> str:
    """Return *value* as one argument of a dialplan application, its separators escaped."""
    wire_bytes("argument", value)
    return _SEPARATORS.sub(r"\\\1", value)


def agi_word(value: str) -> bytes:
    """Return *value* as one quoted word of an AGI command (res_agi.c, ``parse_args``)."""
    escaped = wire_bytes("argument", value).replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"%b"' % escaped


def dialled_number(number: str) -> str:
    """Return *number* when it may stand in a dial string: digits, ``*``, ``#``, ``A``-``D``, one leading ``+``.

    Anything else (``&``, ``/``, ``@``, ``,``, ``|``) could dial another destination or set options.
    """
    if _DIALLED.fullmatch(number) is None:
        raise UnsafeValueError(field="number", reason="it holds what cannot be dialled")
    return number
