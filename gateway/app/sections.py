"""Every section of the configuration file, from those who declare them."""

from gateway.alarms.options import AlarmOptions
from gateway.app.options import AsteriskServerOptions, GatewayOptions
from gateway.archive.options import ArchiveOptions
from gateway.asterisk.options import AmiOptions, CelOptions, FastAgiOptions
from gateway.bus.options import BusOptions
from gateway.commands.options import CommandOptions
from gateway.core.options import Options
from gateway.directory.options import NumberingOptions
from gateway.incidents.options import IncidentOptions
from gateway.principals.options import PrincipalsOptions
from gateway.release.options import ReleaseOptions
from gateway.store.options import StoreOptions
from gateway.web.options import WebOptions
from trunks.telephone.options import TelephoneOptions

SECTIONS: tuple[type[Options], ...] = (
    GatewayOptions,
    StoreOptions,
    BusOptions,
    PrincipalsOptions,
    WebOptions,
    AmiOptions,
    FastAgiOptions,
    CelOptions,
    AsteriskServerOptions,
    TelephoneOptions,
    NumberingOptions,
    AlarmOptions,
    ReleaseOptions,
    ArchiveOptions,
    IncidentOptions,
    CommandOptions,
)
