"""The console as a browser without JavaScript meets it: cookies are kept, forms are filled in and sent with what they hide."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any, Final

import httpx2
from attrs import define, field, frozen

from tests.entrypoints.http.web import Web

PASSWORD: Final = "una frase corta 7"
MARTA: Final = "+5491150000001"
CARLOS: Final = "+5491150000002"


@frozen
class Form:
    """A form of a page: where it goes, and what it holds already."""

    action: str
    values: tuple[tuple[str, str], ...]


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, list[tuple[str, str]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.forms.append((given.get("action") or "", []))
        elif tag == "input" and self.forms and (name := given.get("name")) and given.get("type") != "checkbox":
            self.forms[-1][1].append((name, given.get("value") or ""))


@define
class Window:
    """A browser window; it follows no redirect by itself."""

    client: httpx2.AsyncClient
    page: httpx2.Response = field(init=False)

    async def open(self, path: str, **headers: str) -> httpx2.Response:
        self.page = await self.client.get(
            path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )
        return self.page

    async def follow(self) -> httpx2.Response:
        """Go where the answer leads."""
        assert self.page.status_code == 303, self.page.text[:500]
        return await self.open(self.page.headers["location"])

    def form(self, action: str) -> Form:
        """Return the form of the present page that goes to a path."""
        reader = _Forms()
        reader.feed(self.page.text)
        return next(Form(where, tuple(values)) for where, values in reader.forms if re.fullmatch(action, where))

    async def send(self, action: str, /, headers: dict[str, str] | None = None, **filled: Any) -> httpx2.Response:
        """Fill in the form of the present page that goes to a path, and send it."""
        form = self.form(action)
        body = {**dict(form.values), **filled}
        self.page = await self.client.post(form.action, data=body, headers=headers)
        return self.page

    async def log_in_by_code(self, web: Web, phone: str) -> None:
        await self.open("/app/log-in")
        await self.send("/app/log-in", phone=phone)
        assert self.page.status_code == 200, self.page.text
        await self.send("/app/log-in/code", code=web.whatsapp.sent[-1].code)
        assert self.page.status_code == 303, self.page.text

    async def register(
        self, email: str = "ana@example.com", name: str = "Ana Ruiz", business: str = "Ruiz Hnos."
    ) -> None:
        await self.open("/app/register")
        await self.send("/app/register", email=email, name=name, business=business, password=PASSWORD)
        assert self.page.status_code == 303, self.page.text


def window(web: Web) -> Window:
    """Open a window of a browser that has never been here."""
    return Window(httpx2.AsyncClient(transport=web.client._transport, base_url="http://test"))
