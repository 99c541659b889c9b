"""Passwords: the policy, and argon2id in threads of its own."""

import asyncio
import secrets
import unicodedata
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher as Argon2
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.principals.errors import PasswordPolicyError, SignInBusyError
from gateway.principals.options import PrincipalsOptions

SHORTEST = 10
LONGEST = 256
_FEWEST_DIFFERENT = 4
_WAITING = 32


def check_policy(password: str, name: str) -> None:
    """Raise :class:`PasswordPolicyError` unless *password* may be the one of *name*."""
    normal = _normal(password)
    if len(normal) < SHORTEST:
        raise PasswordPolicyError(reason=f"it is shorter than {SHORTEST} characters")
    if len(normal) > LONGEST:
        raise PasswordPolicyError(reason=f"it is longer than {LONGEST} characters")
    if name and name.casefold() in normal.casefold():
        raise PasswordPolicyError(reason="it contains the name")
    if len(set(normal)) < _FEWEST_DIFFERENT:
        raise PasswordPolicyError(reason="it repeats too few characters")


def generate_password() -> str:
    """Return a password of 120 random bits, in four groups that can be read aloud."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(6)) for _ in range(4))


class PasswordHasher:
    """Hashes and verifies with argon2id, at most ``password_checks_at_once`` at a time, away from the event loop.

    A digest is a PHC string, which carries its own parameters; :meth:`verify` says when it should be made anew because
    the parameters were raised. Passwords are compared in Unicode NFC (RFC 8265, OpaqueString).
    """

    def __init__(self, options: PrincipalsOptions) -> None:
        self._argon2 = Argon2(
            time_cost=options.argon2_time_cost,
            memory_cost=options.argon2_memory_kib,
            parallelism=options.argon2_parallelism,
        )
        self._threads = ThreadPoolExecutor(options.password_checks_at_once, thread_name_prefix="argon2")
        self._waiting = 0
        self._nobody: str | None = None

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def digest(self, password: str) -> str:
        """Return the digest of *password*."""
        return await self._run(password, None)

    async def verify(self, digest: str | None, password: str) -> str | None:
        """Return ``None`` when *password* does not fit, otherwise the digest to keep (the same, or one made anew).

        With *digest* ``None`` (there is no such name) the answer is ``None`` after the same work.
        """
        return await self._run(password, digest or "") or None

    async def _run(self, password: str, digest: str | None) -> str:
        if self._waiting >= _WAITING:
            raise SignInBusyError
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._work, _normal(password), digest)
        finally:
            self._waiting -= 1

    def _work(self, password: str, digest: str | None) -> str:
        if digest is None:
            return self._argon2.hash(password)
        if self._nobody is None:
            self._nobody = self._argon2.hash(secrets.token_hex(16))
        try:
            self._argon2.verify(digest or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return ""
        if not digest:
            return ""
        return self._argon2.hash(password) if self._argon2.check_needs_rehash(digest) else digest


def _normal(password: str) -> str:
    # Lone surrogates cannot be encoded: they are turned into something that fits no password.
    return unicodedata.normalize("NFC", password[: LONGEST * 4]).encode("utf-8", "replace").decode("utf-8")
