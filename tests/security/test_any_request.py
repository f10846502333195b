"""S16: requests made up from the OpenAPI document, sound and unsound, are answered as the document says and never with a failure."""

from __future__ import annotations

import copy
import json
import random
import re
import string
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx2
import pytest
from attrs import define, field

from adapters.sql import upgrade
from tests.entrypoints.http.test_hostile_requests import NAMES
from tests.entrypoints.http.test_openapi import DOCUMENT, wrong
from tests.entrypoints.http.web import Web, enrol_everybody
from tests.entrypoints.http.web import web as serving_web
from tests.full import so_many

REQUESTS: Final = so_many(25_000, usually=400)
PEOPLE: Final = ("alba", "marta", "carlos", "owen", None, "nobody")
TEXTS: Final = (
    *NAMES,
    "",
    " ",
    "x",
    "\x00",
    "🛠",
    "x" * 5000,
    "-1",
    "null",
    "+5491155550123",
    "ana@example.com",
    "2026-11-21T12:00:00Z",
)
ODD: Final[tuple[Any, ...]] = (None, True, -1, 0, 10**30, 1.5, "", "x", [], {}, [[]], {"a": {"b": 1}}, "\x00", "NaN")


@define
class Sender:
    """Makes up requests; a number of the seed makes the same ones again."""

    web: Web
    chance: random.Random
    known: list[str] = field(factory=list)
    """Ids that were in answers."""

    def text(self, schema: Mapping[str, Any]) -> str:
        if "enum" in schema and self.chance.random() < 0.9:
            return str(self.chance.choice(schema["enum"]))
        form, other = schema.get("format"), self.chance.random()
        if form == "date-time" and other < 0.8:
            return f"2026-{self.chance.randint(1, 12):02}-{self.chance.randint(1, 28):02}T12:00:00Z"
        if form == "date" and other < 0.8:
            return f"2026-{self.chance.randint(1, 12):02}-{self.chance.randint(1, 28):02}"
        if self.known and other < 0.3:
            return self.chance.choice(self.known)
        if other < 0.6:
            return self.chance.choice(TEXTS)
        letters = string.printable + "áñÜ漢🛠\u202e"
        return "".join(self.chance.choice(letters) for _ in range(self.chance.randint(0, 40)))

    def value(self, schema: Mapping[str, Any], depth: int = 0) -> Any:
        if self.chance.random() < 0.03:
            return copy.deepcopy(self.chance.choice(ODD))
        if "$ref" in schema:
            return self.value(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]], depth)
        if "anyOf" in schema:
            return self.value(self.chance.choice(schema["anyOf"]), depth)
        kind = schema.get("type")
        if kind == "object" and "properties" in schema:
            required = schema.get("required", [])
            names = [name for name in schema["properties"] if name in required or self.chance.random() < 0.5]
            return {name: self.value(schema["properties"][name], depth + 1) for name in names}
        if kind == "array":
            return [self.value(schema["items"], depth + 1) for _ in range(self.chance.choice((0, 1, 2, 20)))]
        if kind == "integer":
            return self.chance.choice((0, 1, 2, 50, -1, 2**31, 2**63, 10**20))
        if kind == "number":
            return self.chance.choice((0, -34.6, 58.4, 1e10, -1e300))
        if kind == "boolean":
            return self.chance.random() < 0.5
        if kind == "null":
            return None
        return self.text(schema)

    def body(self, content: Mapping[str, Any]) -> tuple[bytes, str]:
        kind, described = next(iter(content.items()))
        if kind != "application/json" or self.chance.random() < 0.05:
            return self.chance.randbytes(self.chance.randint(0, 200)), kind
        data = self.value(described["schema"])
        if isinstance(data, dict) and self.chance.random() < 0.1:
            data[self.chance.choice(("role", "tenant", "__class__", "id"))] = self.chance.choice(ODD)
        return json.dumps(data).encode(), kind

    async def send(self) -> tuple[str, str, httpx2.Response]:
        path = self.chance.choice(list(DOCUMENT["paths"]))
        method = self.chance.choice(list(DOCUMENT["paths"][path]))
        operation = DOCUMENT["paths"][path][method]
        parts = re.sub(r"{\w+}", lambda _: quote(self.text({}).replace("/", "") or "x", safe=""), path)
        queries = [each for each in operation.get("parameters", ()) if each["in"] == "query"]
        asked = {each["name"]: self.text(each["schema"]) for each in queries if self.chance.random() < 0.6}
        more: dict[str, Any] = {"params": asked} if asked else {}
        headers: dict[str, Any] = {}
        if "requestBody" in operation:
            more["content"], headers["content-type"] = self.body(operation["requestBody"]["content"])
        if any(each["in"] == "header" for each in operation.get("parameters", ())) and self.chance.random() < 0.2:
            headers["idempotency-key"] = self.chance.choice(("k-1", "k-2", "", "two words"))
        answer = await self.web.ask(method.upper(), parts, self.chance.choice(PEOPLE), headers=headers, **more)
        return method, path, answer

    def learn(self, said: Any) -> None:
        if isinstance(said, dict):
            if isinstance(said.get("id"), str) and len(self.known) < 500:
                self.known.append(said["id"])
            for inner in said.values():
                self.learn(inner)
        elif isinstance(said, list):
            for inner in said[:5]:
                self.learn(inner)


def complaint(method: str, path: str, answer: httpx2.Response) -> str | None:
    """Say what about an answer is not what the document promises."""
    responses = DOCUMENT["paths"][path][method]["responses"]
    if answer.status_code >= 500 and not (answer.status_code == 503 and path.startswith("/health")):
        return "a failure"
    if "Traceback" in answer.text or 'File "' in answer.text:
        return "a trace"
    if str(answer.status_code) not in responses:
        return f"{answer.status_code} is not among {sorted(responses)}"
    content = responses[str(answer.status_code)].get("content")
    if content is None:
        return None
    media = answer.headers.get("content-type", "").partition(";")[0]
    if media not in content:
        return f"{media} is not among {sorted(content)}"
    if media.endswith("json"):
        found = wrong(answer.json(), content[media]["schema"])
        return str(found) if found else None
    return None


@pytest.fixture(params=["memory", "postgres"])
async def any_web(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Web]:
    """Give the application over a database of each kind that counts here."""
    url = "memory:"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
        upgrade(url)
    async with serving_web(tmp_path, CUADRILLA_DATABASE_URL=url) as served:
        yield served


async def test_whatever_is_asked_the_answer_is_one_that_the_document_names(any_web: Web) -> None:
    seen: Counter[int] = Counter()
    for seed in range(REQUESTS):
        if seed % 400 == 0:
            any_web.clock.forward(hours=3)
            await enrol_everybody(any_web.app)  # somebody may have sent somebody away
            sender = Sender(any_web, random.Random(seed))
            sender.learn([await any_web.a_job(), (await any_web.get("/api/v1/users")).json()])
        method, path, answer = await sender.send()
        found = complaint(method, path, answer)
        assert found is None, (
            seed,
            method,
            path,
            found,
            answer.request.content[:500],
            str(answer.url),
            answer.text[:500],
        )
        seen[answer.status_code] += 1
        if answer.headers.get("content-type") == "application/json":
            sender.learn(answer.json())
    assert {200, 400, 401, 403, 404, 422} <= seen.keys(), seen
