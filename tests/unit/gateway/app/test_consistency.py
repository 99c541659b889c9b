import pytest

from config.settings import InvalidConfigurationError, load
from gateway.app.consistency import check
from gateway.app.sections import SECTIONS


def problems(**environment: str) -> list[str]:
    settings = load(SECTIONS, file=None, environment={f"TRUNKLINE_{key}": value for key, value in environment.items()})
    try:
        check(settings)
    except InvalidConfigurationError as error:
        return [problem.fields["key"] for problem in error.problems]
    return []


def test_the_defaults_fit_together():
    assert problems() == []


@pytest.mark.parametrize(
    ("environment", "key"),
    [
        ({"BUS__BROKER": '"external"'}, "bus.host"),
        ({"BUS__LISTENER__TLS_PORT": "8883"}, "bus.listener.certificate_file"),
        ({"TELEPHONE__LINES": '[{name = "line-1"}, {name = "line-1"}]'}, "telephone.lines.name"),
        (
            {"TELEPHONE__LINES": '[{name = "line-1", numbers = ["1"]}, {name = "line-2", numbers = ["1"]}]'},
            "telephone.lines.numbers",
        ),
        ({"TELEPHONE__PHONES": '[{number = "101"}, {number = "101"}]'}, "telephone.phones.number"),
    ],
)
def test_what_does_not_fit_together_is_told(environment: dict[str, str], key: str):
    assert problems(**environment) == [key]
