"""The index over a restart: a segment in a folder, and what has changed in the store since it was saved."""

import asyncio
from pathlib import Path

import sqlalchemy as sa
import structlog

from gateway.directory import segment_file
from gateway.directory.contact import Contact, OrgUnit
from gateway.directory.index import DirectoryIndex
from gateway.directory.numbers import Numbering
from gateway.directory.repository import Covered, DirectoryRepository
from gateway.directory.segment import Segment, hash_of
from gateway.store.unit import Store

log = structlog.get_logger(__name__)

_MOST_SINCE = 2000  # changes that are added to a saved index; with more it is made anew


class IndexFolder:
    """Opens and saves the index. A folder that is lost, torn or of another store costs time and nothing else."""

    def __init__(self, store: Store, numbering: Numbering, folder: Path | None) -> None:
        self._store = store
        self._numbering = numbering
        self._folder = folder

    async def open(self) -> DirectoryIndex:
        """Return the index as the store stands now."""
        saved = None if self._folder is None else await asyncio.to_thread(segment_file.load, self._folder)
        if saved is not None:
            caught_up = await self._store.read(lambda connection: self._caught_up(connection, *saved))
            if caught_up is not None:
                return caught_up
        index, covered = await self._store.read(self._made)
        await self.save(index, covered)
        return index

    async def covered(self) -> Covered:
        """Return the state of the store; the caller lets nothing be changed meanwhile."""
        return await self._store.read(DirectoryRepository.covered)

    async def save(self, index: DirectoryIndex, covered: Covered) -> None:
        """Save the large segment of *index*, which shows the state *covered*."""
        if self._folder is None:
            return
        folder = self._folder
        try:
            await asyncio.to_thread(segment_file.save, index.base, folder, self._stamp(covered), index.units)
        except OSError as error:
            log.warning("the directory's index is not kept", reason=str(error))

    def _stamp(self, covered: Covered) -> str:
        return f"{covered.seq}:{covered.id}:{hash_of(repr(self._numbering.options)):016x}"

    def _made(self, connection: sa.Connection) -> tuple[DirectoryIndex, Covered]:
        covered = DirectoryRepository.covered(connection)
        units = DirectoryRepository.units(connection)
        return DirectoryIndex(DirectoryRepository.all(connection), self._numbering, units=units), covered

    def _caught_up(
        self, connection: sa.Connection, base: Segment, stamp: str, known: dict[str, OrgUnit]
    ) -> DirectoryIndex | None:
        seq, identifier, _ = stamp.split(":")
        covered = Covered(int(seq), identifier)
        since = DirectoryRepository.since(connection, covered, _MOST_SINCE)
        if since is None or stamp != self._stamp(covered):
            return None
        touched = {change.contact_id for change in since if change.contact_id is not None}
        for name in {change.unit for change in since if change.unit is not None}:
            touched.update(DirectoryRepository.of_unit(connection, name))
        present: list[Contact] = DirectoryRepository.some(connection, touched)
        units = {**known, **DirectoryRepository.units(connection)}
        index = DirectoryIndex((), self._numbering, units=units, base=base)
        if not touched:
            return index
        return index.with_changes(present, touched - {contact.id for contact in present})
