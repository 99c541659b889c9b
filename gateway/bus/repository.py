"""What the bus keeps: the digests of the applications' passwords at the broker."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy import orm

from gateway.bus.dynsec_model import PasswordDigest
from gateway.store.unit import Base, Store, Unit


class BrokerCredentialRow(Base):
    """The PBKDF2-HMAC-SHA512 digest of an application's password, base 64, as mosquitto compares it."""

    __tablename__ = "broker_credentials"

    application: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)
    digest: orm.Mapped[str] = orm.mapped_column(sa.String(128))
    salt: orm.Mapped[str] = orm.mapped_column(sa.String(32))
    iterations: orm.Mapped[int] = orm.mapped_column(sa.Integer)


class CredentialRepository:
    """See :class:`gateway.bus.dynsec.CredentialKeeper`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep(self, name: str, password: PasswordDigest) -> None:
        """Keep the digest of an application's password in place of the former one."""

        def work(unit: Unit) -> None:
            unit.connection.execute(sa.delete(BrokerCredentialRow).where(BrokerCredentialRow.application == name))
            unit.connection.execute(
                sa.insert(BrokerCredentialRow).values(
                    application=name, digest=password.digest, salt=password.salt, iterations=password.iterations
                )
            )

        await self._store.write(work, name="bus.keep_credential")

    async def forget(self, name: str) -> None:
        """Delete it."""

        def work(unit: Unit) -> None:
            unit.connection.execute(sa.delete(BrokerCredentialRow).where(BrokerCredentialRow.application == name))

        await self._store.write(work, name="bus.forget_credential")

    async def all(self) -> Mapping[str, PasswordDigest]:
        """Return all digests by name of application."""

        def query(connection: sa.Connection) -> dict[str, PasswordDigest]:
            columns = (
                BrokerCredentialRow.application,
                BrokerCredentialRow.digest,
                BrokerCredentialRow.salt,
                BrokerCredentialRow.iterations,
            )
            return {
                name: PasswordDigest(digest=digest, salt=salt, iterations=iterations)
                for name, digest, salt, iterations in connection.execute(sa.select(*columns))
            }

        return await self._store.read(query)
