"""The OpenAPI 3.1 document, made from the endpoints, and a page that shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from entrypoints.http.endpoints import ENDPOINTS, Endpoint
from entrypoints.http.guards import takes_key
from entrypoints.http.wire import schema

_PROBLEM: Final = {
    "type": "object",
    "description": "RFC 9457 problem details; `code` is stable",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "requestId": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail", "code", "requestId"],
}


_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same request under the same key takes effect once, and is answered the same for 24 hours",
    "schema": {"type": "string", "maxLength": 255},
}


def document(*, version: str, public_url: str) -> dict[str, Any]:
    """Return the whole document."""
    parts: dict[str, Any] = {"Problem": _PROBLEM}
    paths: dict[str, Any] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, parts)
    paths.update(_unauthenticated())
    return {
        "openapi": "3.1.0",
        "info": {"title": "Cuadrilla", "version": version, "license": {"name": "MIT", "identifier": "MIT"}},
        "servers": [{"url": public_url}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": parts,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "operator": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token of whoever runs the installation, from its settings",
                },
            },
        },
    }


def _operation(endpoint: Endpoint, parts: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.handler.__name__,
        "tags": [endpoint.area],
        "summary": endpoint.summary,
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in re.findall(r"{(\w+)}", endpoint.path)
            ),
            *(
                {"name": name, "in": "query", "schema": {"type": "integer" if name == "limit" else "string"}}
                for name in endpoint.query
            ),
            *([_KEY] if takes_key(endpoint) else ()),
        ],
        "responses": {},
    }
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema(endpoint.body, parts=parts)}},
        }
    if endpoint.upload is not None:
        picture = {"type": "string", "contentEncoding": "binary"}
        form = {"type": "object", "properties": {endpoint.upload: picture}, "required": [endpoint.upload]}
        operation["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": form}}}
    if endpoint.open:
        operation["security"] = []
    for status, shape in endpoint.answers.items():
        if shape is None:
            operation["responses"][str(status)] = {"description": endpoint.summary}
            continue
        content = (
            {shape: {"schema": {"type": "string", "contentEncoding": "binary"}}}
            if isinstance(shape, str)
            else {"application/json": {"schema": schema(shape, parts=parts)}}
        )
        operation["responses"][str(status)] = {"description": endpoint.summary, "content": content}
    for status in sorted({*_refusals(endpoint), *endpoint.problems}):
        operation["responses"][str(status)] = _problem()
    return operation


def _refusals(endpoint: Endpoint) -> Iterator[int]:
    """Return what our own layers, and not the use case, may answer."""
    yield from (401, 429) if endpoint.open else (401, 403, 429)
    if endpoint.body is not None or endpoint.upload is not None:
        yield from (400, 413)
    if endpoint.query:
        yield from (400, 422)
    if "{" in endpoint.path:
        yield 422  # an id that no database can hold
    if takes_key(endpoint):
        yield from (400, 409, 422)


def _problem() -> dict[str, Any]:
    return {
        "description": "A problem",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _unauthenticated() -> dict[str, Any]:
    """Return the routes outside the API proper: the tracking link, the provider's deliveries, health."""
    plain = {"description": "OK"}
    token = {"name": "token", "in": "path", "required": True, "schema": {"type": "string"}}
    page = {"text/html": {"schema": {"type": "string"}}}
    gone = {
        status: {"description": "No such link, or no longer", "content": {**_problem()["content"], **page}}
        for status in ("404", "410")
    }
    often = {"429": _problem()}
    return {
        "/track/{token}": {
            "get": {
                "operationId": "watch",
                "tags": ["tracking"],
                "summary": "Who comes and when: a page, or the same facts as JSON for Accept: application/json",
                "security": [],
                "parameters": [token],
                "responses": {"200": plain, **gone, **often},
            }
        },
        "/track/{token}/events": {
            "get": {
                "operationId": "follow",
                "tags": ["tracking"],
                "summary": "The same facts as server-sent events, whenever they change; 204 while too many listen",
                "security": [],
                "parameters": [token],
                "responses": {
                    "200": {"description": "Events", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
                    "204": {"description": "Ask for the JSON instead"},
                    **gone,
                    **often,
                },
            }
        },
        "/webhooks/whatsapp": {
            "get": {
                "operationId": "verify_whatsapp",
                "tags": ["webhooks"],
                "summary": "Meta's handshake",
                "security": [],
                "responses": {"200": plain, "403": plain, **often},
            },
            "post": {
                "operationId": "receive_whatsapp",
                "tags": ["webhooks"],
                "summary": "Meta's deliveries, signed with X-Hub-Signature-256",
                "security": [],
                "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
                "responses": {"200": plain, "400": _problem(), "401": _problem(), "413": _problem(), **often},
            },
        },
        "/webhooks/twilio": {
            "post": {
                "operationId": "receive_twilio",
                "tags": ["webhooks"],
                "summary": "Twilio's word on a text message, signed with X-Twilio-Signature",
                "security": [],
                "parameters": [
                    {"name": name, "in": "query", "schema": {"type": "string"}} for name in ("tenant", "delivery")
                ],
                "requestBody": {
                    "required": True,
                    "content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}},
                },
                "responses": {
                    "204": {"description": "Noted"},
                    "400": _problem(),
                    "401": _problem(),
                    "413": _problem(),
                    **often,
                },
            }
        },
        "/health": {
            "get": {
                "operationId": "health",
                "tags": ["operations"],
                "summary": "Alive",
                "security": [],
                "responses": {"200": plain},
            }
        },
        "/health/ready": {
            "get": {
                "operationId": "ready",
                "tags": ["operations"],
                "summary": "Able to serve: the database answers",
                "security": [],
                "responses": {"200": plain, "503": plain},
            }
        },
        **_operations(),
    }


def _operations() -> dict[str, Any]:
    """Return the routes of whoever runs the installation, who shows the token of its settings."""
    findings: dict[str, Any] = {
        "type": "object",
        "properties": {
            "status": {"enum": ["ok", "warning", "failed"]},
            "services": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "service": {"type": "string"},
                        "status": {"enum": ["ok", "warning", "failed"]},
                        "says": {"type": "string"},
                    },
                    "required": ["service", "status", "says"],
                },
            },
        },
        "required": ["status", "services"],
    }
    about = {name: {"type": "string"} for name in ("version", "environment", "python", "startedAt")}
    details = {
        "type": "object",
        "properties": {**findings["properties"], **about, "uptimeSeconds": {"type": "integer"}},
        "required": [*findings["required"], *about, "uptimeSeconds"],
    }
    refused = {"401": _problem(), "429": _problem()}

    def route(name: str, summary: str, responses: dict[str, Any]) -> dict[str, Any]:
        operation = {"operationId": name, "tags": ["operations"], "summary": summary, "security": [{"operator": []}]}
        return {"get": {**operation, "responses": {**responses, **refused}}}

    def said(schema: dict[str, Any]) -> dict[str, Any]:
        content = {"application/json": {"schema": schema}}
        return {
            "200": {"description": "Everything works; a warning says what will not for long", "content": content},
            "503": {"description": "Something does not work", "content": content},
        }

    text = {"description": "Text for Prometheus", "content": {"text/plain": {"schema": {"type": "string"}}}}
    return {
        "/health/services": route("services", "How each configured service does", said(findings)),
        "/health/detailed": route("detailed", "What runs here, since when, and how each service does", said(details)),
        "/metrics": route("metrics", "What Prometheus scrapes of this process", {"200": text}),
    }
