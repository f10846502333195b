"""The pages of notifications over the real application: choosing, apps, and the log of what was sent."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from core.kernel.actor import Actor
from core.notifications import Recipient
from tests.contracts.samples import acting_for
from tests.entrypoints.console.front import CARLOS, MARTA, Window, window
from tests.entrypoints.http.doors import door
from tests.entrypoints.http.web import Web
from tests.entrypoints.http.web import web as serving_web

OWN = "/app/settings/notifications"
LOG = "/app/settings/deliveries"
NIGHT: Final[dict[str, Any]] = {
    "quiet": "yes",
    "start": "22:00",
    "end": "07:30",
    "zone": "",
    "language": "en",
    "digest": "yes",
}


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[tuple[Web, Window]]:
    async with serving_web(tmp_path) as served, door(served) as web:
        shown = window(web)
        await shown.log_in_by_code(web, CARLOS)
        yield web, shown


def text_of(page: httpx2.Response) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.text)))


async def kept(page: Window, action: str, **filled: Any) -> str:
    """Send a form and return what the page says to which the answer leads."""
    await page.send(action, **filled)
    return text_of(await page.follow())


async def dispatcher(web: Web) -> Window:
    shown = window(web)
    await shown.log_in_by_code(web, MARTA)
    return shown


async def test_somebody_chooses_how_they_are_told(at: tuple[Web, Window]) -> None:
    web, page = at
    shown = await page.open(OWN)
    assert "Horario de silencio" in text_of(shown)
    assert "Avisos a clientes" not in text_of(shown)
    assert "Guardado." in await kept(page, OWN, **NIGHT, channels=["push", "sms"], events=["job_assigned"])
    chosen = await web.app.choices.show(
        actor=Actor(tenant="demo", id="carlos", role="technician", correlation="c"), recipient_id="carlos"
    )
    assert (sorted(chosen.channels), sorted(chosen.muted)) == (["push", "sms"], ["job_cancelled", "job_completed"])
    assert (chosen.quiet, f"{chosen.hours.end:%H:%M}", chosen.zone, chosen.language) == (True, "07:30", None, "en")


async def test_hours_that_make_no_sense_are_asked_for_again(at: tuple[Web, Window]) -> None:
    _, page = at
    await page.open(OWN)
    again = await page.send(OWN, **{**NIGHT, "end": "22:00"})
    assert again.status_code == 422
    assert "Poné una hora de comienzo y otra, distinta, de final." in text_of(again)
    assert 'value="22:00"' in again.text
    assert (await page.send(OWN, **{**NIGHT, "start": ""})).status_code == 422
    assert "Guardado." in await kept(page, OWN, **{**NIGHT, "quiet": "", "start": ""})


async def test_a_page_over_which_somebody_else_chose_is_refused(at: tuple[Web, Window]) -> None:
    web, page = at
    await page.open(OWN)
    await page.send(OWN, **NIGHT, version="0")
    web.clock.forward(minutes=2)  # codes are given out one a minute
    other = window(web)
    await other.log_in_by_code(web, CARLOS)
    await other.open(OWN)
    stale = await other.send(OWN, **NIGHT, version="0")
    assert stale.status_code == 409


async def test_an_app_is_removed(at: tuple[Web, Window]) -> None:
    web, page = at
    carlos = Actor(tenant="demo", id="carlos", role="technician", correlation="c")
    device = await web.app.choices.register(actor=carlos, provider="expo", token="ExponentPushToken[a]", name="Moto")
    assert "Moto" in text_of(await page.open(OWN))
    action = f"{OWN}/devices/{device.id}/forget"
    assert "ya no recibe avisos" in await kept(page, action)
    assert "Ninguno todavía" in text_of(await page.open(OWN))


async def test_customers_are_the_dispatcher_s_to_choose_for(at: tuple[Web, Window]) -> None:
    web, page = at
    assert (await page.open(f"{OWN}/customers")).status_code == 403
    marta = await dispatcher(web)
    shown = await marta.open(f"{OWN}/customers")
    assert "Correo" in text_of(shown)
    assert "Guardado." in await kept(marta, f"{OWN}/customers", **NIGHT, channels=["whatsapp"], events=[])
    carlos = Recipient(id="c1", kind="customer", name="Ana Ruiz", address="+5491155550123")
    made = await web.app.notifications.notify(
        actor=Actor(tenant="demo", id="t", role="service", correlation="c"),
        key="k",
        template="job_completed",
        recipient=carlos,
        parameters=("Ana", "Aire", "$ 1"),
    )
    assert made is None


async def test_the_log_shows_what_became_of_each_and_is_searched(at: tuple[Web, Window]) -> None:
    web, page = at
    assert (await page.open(LOG)).status_code == 403
    marta = await dispatcher(web)
    assert "Todavía no se avisó nada" in text_of(await marta.open(LOG))
    service = Actor(tenant="demo", id="t", role="service", correlation="c")
    for number, name in enumerate(("Ana Ruiz", "Bruno <b>Paz</b>", *(f"Cliente {n}" for n in range(45)))):
        await web.app.notifications.notify(
            actor=service,
            key=name,
            template="technician_arrived",
            recipient=Recipient(id=f"c{number}", kind="customer", name=name, address="+5491155550123"),
            parameters=(name, "Carlos"),
        )
        web.clock.forward(seconds=1)
    log, _ = await web.app.notifications.log(actor=service, limit=200)
    async with web.app.store.begin(acting_for("demo")) as tx:
        failed = next(each for each in log if each.recipient.id == "c0").attempt(at=web.clock())
        await tx.deliveries.save(failed.refused(error_code="131026", error_text="x", at=web.clock()))
    found = await marta.open(f"{LOG}?who=ruiz")
    assert "Ese número no recibe WhatsApp." in text_of(found)
    assert "Bruno" not in found.text
    assert "Bruno &lt;b&gt;Paz&lt;/b&gt;" in (await marta.open(f"{LOG}?who=paz&days=today")).text
    assert "Ningún aviso coincide" in text_of(await marta.open(f"{LOG}?state=read"))
    assert "Ana Ruiz" in text_of(await marta.open(f"{LOG}?state=failed&channel=whatsapp&days=month"))
    first = await marta.open(LOG)
    assert "Ana Ruiz" not in first.text
    older = re.search(r'href="(\?[^"]*cursor=[^"]*)" data-older', first.text)
    assert older is not None
    assert "Ana Ruiz" in (await marta.open(LOG + unescape(older[1]))).text
    assert (await marta.open(f"{LOG}?state=lost&channel=fax&days=never")).status_code == 200
