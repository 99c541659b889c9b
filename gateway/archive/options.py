"""Settings of the archive."""

from typing import Annotated, ClassVar

import msgspec

from gateway.core.options import Options

GIB = 1024**3
Patterns = tuple[str, ...]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long documents are kept. Shell patterns; an empty list matches everything, ``tags`` any one of them.

    ``keep_days`` without a number keeps for ever.
    """

    name: Annotated[
        str, msgspec.Meta(min_length=1, max_length=64, description="Stands in the audit of what was deleted.")
    ]
    kinds: Annotated[Patterns, msgspec.Meta(description="Kinds of documents.")] = ()
    units: Annotated[Patterns, msgspec.Meta(description="Units that they belong to.")] = ()
    tags: Annotated[Patterns, msgspec.Meta(description="Tags, of which one has to fit.")] = ()
    keep_days: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=36_500)] | None, msgspec.Meta(description="Days; null keeps for ever.")
    ] = None


class ArchiveOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[archive]``."""

    SECTION: ClassVar[str] = "archive"

    folder: Annotated[str, msgspec.Meta(description="Where documents lie; empty is archive/ in the state folder.")] = ""
    max_bytes: Annotated[
        int, msgspec.Meta(ge=1024, le=1024 * GIB, description="The largest document that is taken.")
    ] = 4 * GIB
    reserve_bytes: Annotated[
        int, msgspec.Meta(ge=0, le=1024 * GIB, description="Free space that documents never use.")
    ] = GIB // 4
    rules: Annotated[
        tuple[Rule, ...], msgspec.Meta(description="Retention: the first rule that fits decides; none keeps for ever.")
    ] = ()
    retention_every_s: Annotated[
        float, msgspec.Meta(ge=60, le=604_800, description="How often what is due is deleted.")
    ] = 86_400.0
    scrub_every_s: Annotated[
        float, msgspec.Meta(ge=0.1, le=86_400, description="One document is read and verified each so often.")
    ] = 10.0
    verify_again_s: Annotated[
        float, msgspec.Meta(ge=0, le=86_400, description="An unchanged file is verified again when read after this.")
    ] = 3600.0
