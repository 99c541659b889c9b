"""The switchboard put together from its parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.asterisk.ami import AmiClient
from gateway.asterisk.cel import CelReader
from gateway.asterisk.fastagi import AgiHandler
from gateway.core.board import Board
from gateway.core.clock import Clock
from gateway.core.supervisor import Adapter
from gateway.directory.numbers import Numbering
from gateway.directory.options import NumberingOptions
from gateway.store.unit import Store
from trunks.telephone.asterisk import AsteriskDriver
from trunks.telephone.book import CallBook, Lookup
from trunks.telephone.cel import CelFollower
from trunks.telephone.dialling import DiallingRules
from trunks.telephone.fallback import FallbackSnapshot
from trunks.telephone.incoming import PATH, IncomingCalls
from trunks.telephone.lines import Lines
from trunks.telephone.observe import CelObserver, Switchboard
from trunks.telephone.options import TelephoneOptions
from trunks.telephone.phones import Phones
from trunks.telephone.service import TelephoneService


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the switchboard needs of the house."""

    store: Store
    board: Board
    clock: Clock
    ami: AmiClient
    cel: CelReader
    lookup: Lookup
    snapshot: Path


class Telephone:
    """The switchboard. Build it before the AMI client and the FastAGI server are started."""

    def __init__(
        self, *, service: TelephoneService, book: CallBook, adapters: list[Adapter], incoming: AgiHandler
    ) -> None:
        self.service = service
        self.book = book
        self.adapters = adapters
        """To be supervised, started in this order and before AMI and FastAGI."""
        self.routes: Mapping[str, AgiHandler] = {PATH: incoming}
        """For the FastAGI server."""

    @classmethod
    async def build(cls, options: TelephoneOptions, numbering: NumberingOptions, house: Surroundings) -> "Telephone":
        """Put it together and load what is known of calls from the store."""
        lines, phones = Lines(options.lines), Phones([phone.number for phone in options.phones])
        clock = house.clock
        switchboard = Switchboard(options.trunk_endpoint, frozenset(phones.numbers()), lines.line_of_number)
        book = CallBook(house.store, house.board, clock, lines, house.lookup)
        position = await book.load()
        cel = CelFollower(
            reader=house.cel, observer=CelObserver(switchboard), book=book, clock=clock, position=position
        )
        driver = AsteriskDriver(
            options=options, ami=house.ami, cel=cel, book=book, phones=phones, board=switchboard, clock=clock
        )
        driver.attach()
        incoming = IncomingCalls(
            options=options, book=book, lines=lines, phones=phones, numbering=Numbering(numbering), clock=clock
        )
        service = TelephoneService(
            exchange=driver,
            book=book,
            lines=lines,
            phones=phones,
            rules=DiallingRules(options.dialling, numbering),
            clock=clock,
            trunk_endpoint=options.trunk_endpoint,
        )
        fallback = FallbackSnapshot(house.snapshot, options, phones, clock)
        return cls(service=service, book=book, adapters=[book, cel, driver, fallback], incoming=incoming.answer)
