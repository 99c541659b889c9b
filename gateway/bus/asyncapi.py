"""The contract of the bus as an AsyncAPI 3.0 document, made from the message classes; and the catalogue's hashes.

The same classes give the same bytes, so that a change of the contract shows as a difference in the generated file.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.bus.messages import Catalog, CatalogEntry, GatewayState, HealthReport, Info, Lease, ResourceState
from gateway.bus.relay import CONTENT_TYPE
from gateway.bus.topics import ROOT
from gateway.commands.spec import CommandSpec
from gateway.core.events import Envelope, Event, Message, parse_type

_REF = "#/components/schemas/{name}"
_PATTERN = "[a-z0-9_-]{1,32}"
_OWN: dict[str, tuple[type[Message], str]] = {
    "state": (GatewayState, "Whether the gateway is there; the last will is published on the same topic."),
    "lease": (Lease, "Renewed at each heartbeat, expires after three."),
    "info": (Info, "What runs here."),
    "catalog": (Catalog, "Everything that is told and can be asked for, with the hashes of the schemas."),
    "health": (HealthReport, "All adapters of the gateway."),
}


@dataclass(frozen=True, slots=True)
class Contract:
    """All that is said on the bus. ``states`` are the classes of the resources' states by domain.

    ``request`` and ``answer`` are the frames of a command and of its answer.
    """

    events: Sequence[type[Event]]
    commands: Sequence[CommandSpec[Any, Any]]
    states: Mapping[str, Sequence[type[Message]]]
    request: type[msgspec.Struct] | None = None
    answer: type[msgspec.Struct] | None = None


def catalog_of(contract: Contract) -> Catalog:
    """Return the catalogue of *contract*."""
    events = tuple(_entry(event.TYPE, event) for event in sorted(contract.events, key=lambda one: one.TYPE))
    commands = tuple(
        _entry(spec.name, spec.body, spec.result) for spec in sorted(contract.commands, key=lambda one: one.name)
    )
    states = tuple(
        _entry(f"{domain}.{state.__name__}", state)
        for domain, classes in sorted(contract.states.items())
        for state in sorted(classes, key=lambda one: one.__name__)
    )
    whole = msgspec.json.encode([events, commands, states])
    return Catalog(contract=hashlib.sha256(whole).hexdigest()[:16], events=events, commands=commands, states=states)


def asyncapi_document(contract: Contract, *, version: str) -> dict[str, Any]:
    """Return the document; ``{site}``, ``{app}``, ``{resource}`` and ``{id}`` are parameters of the channels."""
    return _Document(contract, version).build()


def asyncapi_json(contract: Contract, *, version: str) -> bytes:
    """Return the document as JSON, two spaces deep, keys in a fixed order."""
    encoded = msgspec.json.encode(asyncapi_document(contract, version=version), order="deterministic")
    return msgspec.json.format(encoded, indent=2) + b"\n"


class _Document:
    def __init__(self, contract: Contract, version: str) -> None:
        self._contract = contract
        self._version = version
        self._channels: dict[str, Any] = {}
        self._operations: dict[str, Any] = {}
        self._messages: dict[str, Any] = {}
        classes: list[type] = [Envelope, ResourceState, *(one for one, _ in _OWN.values()), *contract.events]
        for spec in contract.commands:
            classes += [spec.body, spec.result]
        for states in contract.states.values():
            classes += states
        classes += [frame for frame in (contract.request, contract.answer) if frame is not None]
        self._classes = list(dict.fromkeys(classes))
        schemas, self._components = msgspec.json.schema_components(self._classes, ref_template=_REF)
        self._schemas: dict[type, dict[str, Any]] = dict(zip(self._classes, schemas, strict=True))

    def build(self) -> dict[str, Any]:
        for name, (state, summary) in _OWN.items():
            self._retained(name, name, self._schemas[state], summary)
        for domain, classes in sorted(self._contract.states.items()):
            alternatives = [self._schemas[one] for one in sorted(classes, key=lambda one: one.__name__)]
            schema = self._wrapped(ResourceState, "state", {"anyOf": alternatives})
            self._retained(f"{domain}_resource_state", f"{domain}/{{resource}}/state", schema, "State of a resource.")
        for event in sorted(self._contract.events, key=lambda one: one.TYPE):
            self._event(event)
        for spec in sorted(self._contract.commands, key=lambda one: one.name):
            self._command(spec)
        self._replay()
        return {
            "asyncapi": "3.0.0",
            "id": "urn:trunkline:bus",
            "info": {
                "title": "Trunkline bus",
                "version": self._version,
                "description": "Events, state and commands of the telephony and radio gateway over MQTT 5. Within a "
                "version of a type changes are additive only; `gwseq` is gap-free for a site.",
            },
            "defaultContentType": "application/json",
            "channels": self._channels,
            "operations": self._operations,
            "components": {"messages": self._messages, "schemas": self._components},
        }

    def _retained(self, name: str, path: str, schema: dict[str, Any], summary: str) -> None:
        self._add(name, path, schema, summary, action="send", qos=1, retain=True)

    def _event(self, event: type[Event]) -> None:
        domain, name, _ = parse_type(event.TYPE)
        schema = self._wrapped(Envelope, "data", self._schemas[event])
        schema["allOf"].append({"properties": {"type": {"const": event.TYPE}}})
        path = f"{domain}/{{resource}}/evt/{name}"
        if event.SENSITIVE:
            path += "/sensitive"
        self._add(
            event.TYPE.replace(".", "_"),
            path,
            schema,
            event.SUMMARY or event.TYPE,
            action="send",
            qos=1,
            retain=False,
            content_type=CONTENT_TYPE,
        )

    def _command(self, spec: CommandSpec[Any, Any]) -> None:
        key = spec.name.replace(".", "_")
        body = self._schemas[spec.body]
        result = self._schemas[spec.result]
        request = body if self._contract.request is None else self._wrapped(self._contract.request, "data", body)
        answer = result if self._contract.answer is None else self._wrapped(self._contract.answer, "result", result)
        self._add(
            f"{key}_command",
            f"cmd/{{app}}/{spec.domain}/{spec.verb}",
            request,
            spec.summary.en,
            action="receive",
            qos=1,
            retain=False,
        )
        self._add(
            f"{key}_answer", "res/{app}/{id}", answer, f"Answers to {spec.name}.", action="send", qos=1, retain=False
        )
        self._operations[f"{key}_command"]["reply"] = {"channel": {"$ref": f"#/channels/{key}_answer"}}

    def _replay(self) -> None:
        self._add(
            "replay",
            "replay/{app}",
            self._schemas[Envelope],
            "Events of the journal that the application asked for with `sys.replay`, in order.",
            action="send",
            qos=1,
            retain=False,
            content_type=CONTENT_TYPE,
        )

    def _wrapped(self, frame: type[msgspec.Struct], field: str, inner: dict[str, Any]) -> dict[str, Any]:
        return {"allOf": [self._schemas[frame], {"properties": {field: inner}}]}

    def _add(
        self,
        key: str,
        path: str,
        schema: dict[str, Any],
        summary: str,
        *,
        action: str,
        qos: int,
        retain: bool,
        content_type: str = "application/json",
    ) -> None:
        self._messages[key] = {"name": key, "summary": summary, "contentType": content_type, "payload": schema}
        address = f"{ROOT}/{{site}}/{path}"
        names = [level[1:-1] for level in address.split("/") if level.startswith("{")]
        self._channels[key] = {
            "address": address,
            "messages": {key: {"$ref": f"#/components/messages/{key}"}},
            "parameters": {name: {"description": f"{name}: {_PATTERN}"} for name in names},
        }
        self._operations[key] = {
            "action": action,
            "channel": {"$ref": f"#/channels/{key}"},
            "messages": [{"$ref": f"#/channels/{key}/messages/{key}"}],
            "bindings": {"mqtt": {"qos": qos, "retain": retain, "bindingVersion": "0.2.0"}},
        }


def _entry(name: str, *classes: type[Message]) -> CatalogEntry:
    schemas, components = msgspec.json.schema_components(classes, ref_template=_REF)
    encoded = msgspec.json.encode([schemas, components], order="deterministic")
    return CatalogEntry(name=name, schema=hashlib.sha256(encoded).hexdigest()[:16])
