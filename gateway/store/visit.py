"""Writing to the store without starting the gateway: what the command line does while no daemon runs."""

from gateway.store import journal
from gateway.store.writer import Writer


class VisitingWriter(Writer):
    """A writer that goes on in the epoch of the last start, and with the numbers of its groups.

    A store that was never started gets its first epoch. A crash between the two steps of opening counts as a start,
    which does no harm: an epoch may be left out, and is never used twice.
    """

    def _open(self) -> None:
        super()._open()
        connection = self._connection
        assert connection is not None  # noqa: S101  # for the type checker: opening has just connected
        former = self.epoch - 1
        if former:
            with connection.begin():
                journal.set_meta(connection, {journal.META_EPOCH: str(former)})
            self.epoch = former
        epoch, _, number = self._last_marker.partition(".")
        if epoch == str(self.epoch):
            self._groups = int(number)  # no two groups have the same marker
