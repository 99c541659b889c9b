import json
from pathlib import Path

import jsonschema
import msgspec

from gateway.bus.asyncapi import Contract, asyncapi_document, asyncapi_json, catalog_of
from gateway.commands.spec import CommandSpec
from gateway.core.events import Event, Message
from gateway.core.text import Text

SCHEMA = Path(__file__).parents[3] / "data" / "asyncapi" / "3.0.0-without-id.json"


class Party(Message, frozen=True, kw_only=True):
    name: str
    number: str | None = None


class CallStarted(Event, frozen=True, kw_only=True):
    TYPE = "tel.call_started.v1"
    SUMMARY = "A call came in."
    caller: Party


class TextReceived(Event, frozen=True, kw_only=True):
    TYPE = "sms.text_received.v1"
    SENSITIVE = True
    text: str


class LineState(Message, frozen=True, kw_only=True):
    busy: bool


class Dial(Message, frozen=True, kw_only=True):
    number: str


class Dialled(Message, frozen=True, kw_only=True):
    call: str


class Request(Message, frozen=True, kw_only=True):
    id: str
    data: msgspec.Raw


DIAL = CommandSpec(name="tel.dial", body=Dial, result=Dialled, summary=Text("Dial a number.", "拨号。"))
CONTRACT = Contract(events=[TextReceived, CallStarted], commands=[DIAL], states={"tel": [LineState]}, request=Request)


def test_the_document_is_valid_asyncapi() -> None:
    document = asyncapi_document(CONTRACT, version="1.0.0")
    schema = json.loads(SCHEMA.read_text())
    jsonschema.validators.validator_for(schema)(schema).validate(json.loads(msgspec.json.encode(document)))


def test_the_document_names_every_topic_and_message() -> None:
    document = asyncapi_document(CONTRACT, version="1.0.0")
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {
        "gw/v1/{site}/state",
        "gw/v1/{site}/lease",
        "gw/v1/{site}/info",
        "gw/v1/{site}/catalog",
        "gw/v1/{site}/health",
        "gw/v1/{site}/tel/{resource}/state",
        "gw/v1/{site}/tel/{resource}/evt/call_started",
        "gw/v1/{site}/sms/{resource}/evt/text_received/sensitive",
        "gw/v1/{site}/cmd/{app}/tel/dial",
        "gw/v1/{site}/res/{app}/{id}",
        "gw/v1/{site}/replay/{app}",
    }
    assert document["components"]["schemas"]["Party"]["required"] == ["name"]


def test_the_same_classes_give_the_same_bytes_whatever_their_order() -> None:
    other = Contract(events=[CallStarted, TextReceived], commands=[DIAL], states={"tel": [LineState]}, request=Request)
    assert asyncapi_json(CONTRACT, version="1") == asyncapi_json(other, version="1")
    assert catalog_of(CONTRACT) == catalog_of(other)


def test_a_change_of_a_schema_changes_its_hash_and_the_contract() -> None:
    class CallStartedChanged(CallStarted, frozen=True, kw_only=True):
        more: int = 0

    before = catalog_of(CONTRACT)
    after = catalog_of(
        Contract(events=[TextReceived, CallStartedChanged], commands=[DIAL], states={"tel": [LineState]})
    )
    assert before.contract != after.contract
    assert [one.name for one in before.events] == ["sms.text_received.v1", "tel.call_started.v1"]
    changed = {one.name for one in before.events} - {one.name for one in before.events if one in after.events}
    assert changed == {"tel.call_started.v1"}
