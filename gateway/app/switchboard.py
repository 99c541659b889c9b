"""Puts the switchboard together: its rules, its book, and its three witnesses in Asterisk."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from config.asterisk.render import cel_file_below
from config.settings import Settings
from gateway.app.credentials import credentials
from gateway.app.paths import StatePaths
from gateway.asterisk.ami import AmiClient
from gateway.asterisk.cel import CelReader
from gateway.asterisk.fastagi import FastAgiServer
from gateway.asterisk.options import AmiOptions, CelOptions, FastAgiOptions
from gateway.core.board import Board
from gateway.core.clock import Clock
from gateway.core.options import Secret
from gateway.core.supervisor import Adapter
from gateway.directory.numbers import Numbering
from gateway.directory.options import NumberingOptions
from gateway.directory.service import DirectoryService
from gateway.store.unit import Store
from trunks.telephone.asterisk import AsteriskDriver
from trunks.telephone.book import CallBook
from trunks.telephone.cel import CelFollower
from trunks.telephone.dialling import DiallingRules
from trunks.telephone.fallback import FallbackSnapshot
from trunks.telephone.incoming import IncomingCalls
from trunks.telephone.lines import Lines
from trunks.telephone.observe import CelObserver, Switchboard
from trunks.telephone.options import TelephoneOptions
from trunks.telephone.phones import Phones
from trunks.telephone.service import TelephoneService


@dataclass(frozen=True, slots=True)
class SwitchboardParts:
    """The switchboard, not yet started; ``adapters`` in the order of their start."""

    service: TelephoneService
    book: CallBook
    phones: Phones
    ami: AmiClient
    fastagi: FastAgiServer
    adapters: tuple[Adapter, ...]


async def build_switchboard(
    settings: Settings,
    paths: StatePaths,
    *,
    store: Store,
    board: Board,
    clock: Clock,
    directory: DirectoryService,
    numbering: Numbering,
    incident_of: Callable[[str], str | None] = lambda _: None,
) -> SwitchboardParts:
    """Make the switchboard and take over the calls that the store has as open."""
    options = settings.of(TelephoneOptions)
    lines = Lines(options.lines)
    phones = Phones([phone.number for phone in options.phones])
    book = CallBook(store, board, clock, lines, directory.lookup, incident_of=incident_of)
    position = await book.load()
    switchboard = Switchboard(
        trunk=options.trunk_endpoint,
        phones=frozenset(phones.numbers()),
        line_of_number=lines.line_of_number,
    )
    ami = AmiClient(await asyncio.to_thread(ami_options, settings, paths), clock)
    cel_options = settings.of(CelOptions)
    cel_path = Path(cel_options.path) if cel_options.path else cel_file_below(paths.asterisk / "state")
    cel = CelFollower(
        reader=CelReader(cel_path),
        observer=CelObserver(switchboard),
        book=book,
        clock=clock,
        interval_s=cel_options.interval_s,
        position=position,
    )
    driver = AsteriskDriver(options=options, ami=ami, cel=cel, book=book, phones=phones, board=switchboard, clock=clock)
    driver.attach()
    incoming = IncomingCalls(options=options, book=book, lines=lines, phones=phones, numbering=numbering, clock=clock)
    service = TelephoneService(
        exchange=driver,
        book=book,
        lines=lines,
        phones=phones,
        rules=DiallingRules(options.dialling, settings.of(NumberingOptions)),
        clock=clock,
        trunk_endpoint=options.trunk_endpoint,
    )
    fastagi = FastAgiServer(settings.of(FastAgiOptions), clock, {"incoming": incoming.answer})
    snapshot = FallbackSnapshot(paths.snapshot, options, phones, clock)
    return SwitchboardParts(service, book, phones, ami, fastagi, (book, fastagi, cel, ami, driver, snapshot))


def ami_options(settings: Settings, paths: StatePaths) -> AmiOptions:
    """Return how to log in at Asterisk; blocking: makes the secret of the generated one if need be."""
    options = settings.of(AmiOptions)
    if options.secret.file or options.secret.credential:
        return options
    kept = credentials(paths)
    kept.read("ami")  # made now if Asterisk has not been prepared yet
    return msgspec.structs.replace(options, secret=Secret(file=str(kept.folder / "ami")))
