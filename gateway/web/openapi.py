"""The OpenAPI 3.1 document: the routes as litestar knows them, and every command with its own body and result."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from litestar import Litestar
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.router import Router

from gateway.commands.spec import CommandSpec

_REFS = "#/components/schemas/{name}"
_MARK = re.compile(r"[^A-Za-z0-9_.-]")


def document(
    routes: Iterable[HTTPRouteHandler | Router],
    dependencies: Mapping[str, Provide],
    commands: Iterable[CommandSpec[Any, Any]],
    *,
    cookie_name: str,
) -> bytes:
    """Return the document as JSON, the same bytes for the same program."""
    # An application of its own, so that litestar's pages of documentation (which need a CDN) are never served.
    described = Litestar(
        route_handlers=list(routes),
        dependencies=dict(dependencies),
        openapi_config=_config(cookie_name),
        logging_config=None,
    )
    body: dict[str, Any] = described.openapi_schema.to_schema()
    schemas: dict[str, Any] = body.setdefault("components", {}).setdefault("schemas", {})
    generic = body["paths"].pop("/api/v1/commands/{name}", {}).get("post", {})
    for spec in sorted(commands, key=lambda each: each.name):
        (taken, given), parts = msgspec.json.schema_components(
            (spec.body, spec.result), ref_template=f"#/components/schemas/{spec.name}.{{name}}"
        )
        schemas |= {_MARK.sub("_", f"{spec.name}.{name}"): schema for name, schema in parts.items()}
        answer = {
            "type": "object",
            "allOf": [{"$ref": _REFS.format(name="CommandAnswer")}],
            "properties": {"result": {"anyOf": [given, {"type": "null"}]}},
        }
        responses = {
            **generic.get("responses", {}),
            "200": {"description": "The final answer", "content": {"application/json": {"schema": answer}}},
            "202": {
                "description": "Accepted; the answer is at /api/v1/commands/{id}",
                "content": {"application/json": {"schema": {"$ref": _REFS.format(name="CommandAnswer")}}},
            },
        }
        body["paths"][f"/api/v1/commands/{spec.name}"] = {
            "post": {
                **generic,
                "operationId": spec.name,
                "summary": spec.summary.en,
                "description": f"{spec.summary.zh} Time-to-live: {spec.default_ttl_s:g} s unless given, at most "
                f"{spec.max_ttl_s:g} s.",
                "parameters": [each for each in generic.get("parameters", []) if each.get("in") != "path"],
                "requestBody": {"required": True, "content": {"application/json": {"schema": taken}}},
                "responses": responses,
            }
        }
    _sort_lists(body)
    return msgspec.json.encode(body, order="deterministic")


def _sort_lists(body: dict[str, Any]) -> None:
    for schema in body["components"]["schemas"].values():
        if isinstance(schema.get("required"), list):
            schema["required"].sort()


def _config(cookie_name: str) -> OpenAPIConfig:
    schemes = {
        "application": SecurityScheme(type="http", scheme="bearer", bearer_format="application:secret"),
        "session": SecurityScheme(type="apiKey", security_scheme_in="cookie", name=cookie_name),
    }
    return OpenAPIConfig(
        title="Trunkline",
        version="1.0.0",  # of the interface, as in /api/v1
        description="Errors are RFC 9457 problem details with a stable `code`. Events: the AsyncAPI document.",
        components=Components(security_schemes={**schemes}),
        security=[{name: []} for name in schemes],
        use_handler_docstrings=True,
    )
