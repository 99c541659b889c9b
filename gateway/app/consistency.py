"""Settings that are right one by one, but not together."""

from collections import Counter
from collections.abc import Iterator

from config.settings import InvalidConfigurationError, InvalidSettingError, Settings
from gateway.bus.options import BusOptions
from gateway.core.options import SettingsError
from gateway.web.options import WebOptions
from trunks.telephone.options import TelephoneOptions


def check(settings: Settings) -> None:
    """Raise :class:`InvalidConfigurationError` with everything that does not fit together."""
    problems = [*_bus(settings.of(BusOptions)), *_telephone(settings.of(TelephoneOptions))]
    try:
        settings.of(WebOptions).check()
    except SettingsError as error:
        problems.append(error)
    if problems:
        raise InvalidConfigurationError(problems)


def _bus(options: BusOptions) -> Iterator[SettingsError]:
    if options.broker == "external" and not options.host:
        yield InvalidSettingError(key="bus.host", reason="an external broker needs a host")
    listener = options.listener
    if listener.tls_port and not (listener.certificate_file and listener.key_file):
        yield InvalidSettingError(
            key="bus.listener.certificate_file", reason="a TLS listener needs certificate_file and key_file"
        )


def _telephone(options: TelephoneOptions) -> Iterator[SettingsError]:
    for key, names in (
        ("telephone.lines.name", [line.name for line in options.lines]),
        ("telephone.lines.numbers", [number for line in options.lines for number in line.numbers]),
        ("telephone.phones.number", [phone.number for phone in options.phones]),
    ):
        for name, count in Counter(names).items():
            if count > 1:
                yield InvalidSettingError(key=key, reason=f"{name!r} is given {count} times")
