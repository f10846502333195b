"""The OpenAPI document says what the API does: real answers are held against it."""

from __future__ import annotations

import datetime as dt
import json
import re
from decimal import Decimal
from typing import Any, Final

import httpx2
import pytest

from entrypoints.http.endpoints import ENDPOINTS
from entrypoints.http.openapi import document
from tests.entrypoints.http.web import Web

DOCUMENT: Final = document(version="1.2.3", public_url="https://cuadrilla.example")
TYPES: Final[dict[str, Any]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
    "object": dict,
    "array": list,
}


def wrong(value: Any, schema: dict[str, Any], at: str = "") -> list[str]:
    """Say where a value is not what the schema promises; a field that it does not name is wrong too, but in a problem."""
    if "$ref" in schema:
        return wrong(value, DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]], at)
    if "anyOf" in schema:
        tries = [wrong(value, each, at) for each in schema["anyOf"]]
        return [] if [] in tries else tries[0]
    if "type" not in schema:
        return []
    if not isinstance(value, TYPES[schema["type"]]) or (isinstance(value, bool) and schema["type"] != "boolean"):
        return [f"{at} is {value!r}, not {schema['type']}"]
    if schema["type"] == "array":
        return [each for place, item in enumerate(value) for each in wrong(item, schema["items"], f"{at}[{place}]")]
    if schema["type"] == "object" and "properties" in schema:
        missing = [f"{at} lacks {name}" for name in schema.get("required", []) if name not in value]
        open_ended = schema is DOCUMENT["components"]["schemas"]["Problem"]
        unnamed = [f"{at} has {name}" for name in value if not open_ended and name not in schema["properties"]]
        inside = [
            each
            for name, inner in schema["properties"].items()
            if name in value
            for each in wrong(value[name], inner, f"{at}.{name}")
        ]
        return missing + unnamed + inside
    return wrong_text(value, schema.get("format"), at)


def wrong_text(value: Any, form: str | None, at: str) -> list[str]:
    read: dict[str, Any] = {
        "date-time": dt.datetime.fromisoformat,
        "date": dt.date.fromisoformat,
        "decimal": Decimal,
    }
    try:
        read.get(form or "", str)(value)
    except (ValueError, ArithmeticError):
        return [f"{at} is {value!r}, no {form}"]
    return []


def must_be_promised(method: str, path: str, answer: httpx2.Response) -> None:
    """See that the document promises this status with this body."""
    responses = DOCUMENT["paths"][path][method.lower()]["responses"]
    assert str(answer.status_code) in responses, (method, path, answer.status_code)
    media = answer.headers["content-type"].partition(";")[0]
    content = responses[str(answer.status_code)]["content"]
    assert media in content
    assert wrong(answer.json(), content[media]["schema"]) == []


def references(part: Any) -> set[str]:
    return set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(part)))


def test_the_document_is_the_same_each_time() -> None:
    again = document(version="1.2.3", public_url="https://cuadrilla.example")
    assert json.dumps(again) == json.dumps(DOCUMENT)


def test_the_document_names_itself_and_its_place() -> None:
    assert (DOCUMENT["openapi"], DOCUMENT["info"]["version"]) == ("3.1.0", "1.2.3")
    assert DOCUMENT["servers"] == [{"url": "https://cuadrilla.example"}]


def test_every_reference_leads_somewhere_and_every_part_is_used() -> None:
    parts = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert references(DOCUMENT) == parts


def test_every_operation_has_a_name_of_its_own_and_says_what_it_is_for() -> None:
    operations = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names)) >= len(ENDPOINTS)
    assert all(operation["summary"] and operation["tags"] and operation["responses"] for operation in operations)


def test_every_variable_of_a_path_is_a_parameter() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            found = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
            assert found == set(re.findall(r"{(\w+)}", path)), path


async def test_what_is_served_is_this_document(web: Web) -> None:
    served = (await web.get("/openapi.json", None)).json()
    assert served["paths"] == json.loads(json.dumps(DOCUMENT["paths"]))
    page = await web.get("/docs", None)
    assert page.status_code == 200
    for endpoint in ENDPOINTS:
        assert endpoint.path in page.text


async def test_real_answers_are_what_the_document_promises(web: Web) -> None:
    job = await web.scheduled(await web.a_job(request="no enfría", wantedDay="2026-11-21"))
    await web.settle()
    place = f"/api/v1/jobs/{job['id']}"
    must_be_promised("GET", "/api/v1/jobs/{id}", await web.get(place))
    must_be_promised("GET", "/api/v1/jobs/{id}/timeline", await web.get(f"{place}/timeline"))
    seen = 0
    for endpoint in ENDPOINTS:
        if endpoint.method == "GET" and "{" not in endpoint.path:
            must_be_promised("GET", endpoint.path, await web.get(endpoint.path))
            seen += 1
    assert seen >= 4
    new = await web.post("/api/v1/customers", {"name": "Ana", "phone": "+5491155550123"})
    must_be_promised("POST", "/api/v1/customers", new)
    again = {"customerId": new.json()["id"], "title": "Aire"}
    must_be_promised("POST", "/api/v1/jobs", await web.post("/api/v1/jobs", again))


@pytest.mark.parametrize("who", [None, "nobody"])
async def test_refusals_are_what_the_document_promises(who: str | None, web: Web) -> None:
    must_be_promised("GET", "/api/v1/jobs", await web.get("/api/v1/jobs", who))
    must_be_promised("GET", "/api/v1/jobs", await web.get("/api/v1/jobs?limit=0"))
    must_be_promised("GET", "/api/v1/jobs/{id}", await web.get("/api/v1/jobs/none"))
    must_be_promised("POST", "/api/v1/jobs", await web.post("/api/v1/jobs", {}))
    must_be_promised("POST", "/api/v1/jobs", await web.post("/api/v1/jobs", {"customerId": "none", "title": "x"}))


async def test_a_refusal_may_carry_more_than_every_problem_has(web: Web) -> None:
    refused = (await web.post("/api/v1/jobs", {})).json()
    assert set(DOCUMENT["components"]["schemas"]["Problem"]["required"]) <= set(refused)
