"""The product's public API, as two of its people use it."""

from __future__ import annotations

from typing import Any

import httpx2
from attrs import define, field


class Refusal(Exception):
    """The product said no, or nothing; the text is for the person at the desk."""


@define
class Api:
    """Where the product is and whom to act as; empty until somebody says so."""

    url: str = ""
    dispatcher: str = field(default="", repr=False)
    technician: str = field(default="", repr=False)
    technician_id: str = ""

    async def get(self, path: str) -> dict[str, Any]:
        """Return an answer to the dispatcher; raise `Refusal`."""
        body: dict[str, Any] = (await self._ask("GET", path, self.dispatcher)).json()
        return body

    async def post(self, path: str, body: object, *, technician: bool = False) -> dict[str, Any]:
        """Act as the dispatcher or the technician; raise `Refusal`."""
        answer = await self._ask("POST", path, self.technician if technician else self.dispatcher, json=body)
        done: dict[str, Any] = answer.json()
        return done

    async def pdf(self, invoice_id: str) -> bytes:
        """Return an invoice's document; raise `Refusal`."""
        return (await self._ask("GET", f"/api/v1/invoices/{invoice_id}/pdf", self.dispatcher)).content

    async def _ask(self, method: str, path: str, token: str, **more: Any) -> httpx2.Response:
        if not self.url:
            msg = "no product has introduced itself; `cuadrilla run` does"
            raise Refusal(msg)
        async with httpx2.AsyncClient(timeout=30, trust_env=False) as client:
            try:
                answer = await client.request(
                    method, self.url + path, headers={"authorization": f"Bearer {token}"}, **more
                )
            except httpx2.HTTPError as failure:
                msg = f"{self.url}: {failure or type(failure).__name__}"
                raise Refusal(msg) from failure
        if answer.is_success:
            return answer
        try:
            problem = answer.json()
            raise Refusal(str(problem.get("detail") or problem["title"]))
        except (ValueError, KeyError, AttributeError) as unreadable:
            msg = f"{self.url} answered {answer.status_code}"
            raise Refusal(msg) from unreadable
