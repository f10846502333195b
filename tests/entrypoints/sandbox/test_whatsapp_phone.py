"""The phone page and the front door, in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from playwright.async_api import Browser, Page, expect

from entrypoints.sandbox.whatsapp.pages import written
from tests.browser.tracking_stage import chromium
from tests.entrypoints.sandbox.whatsapp_bench import ANA, NUMBER, TRACKING, Bench, bench


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as running:
        yield running


@pytest.fixture
async def page(browser: Browser, sandbox: Bench) -> AsyncIterator[Page]:
    """A page of 1440 px at the phone of Ana, which must never write an error to the console."""
    page = await browser.new_page(viewport={"width": 1440, "height": 900}, locale="es-AR")
    page.set_default_timeout(30_000)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda failure: complaints.append(str(failure)))
    await page.goto(f"{sandbox.url}/phone?account={NUMBER}&wa_id={ANA}&name=Ana+G%C3%B3mez")
    yield page
    await page.close()  # and its context
    assert complaints == []


async def test_what_is_typed_leaves_at_once_and_the_webhook_is_shown(sandbox: Bench, page: Page) -> None:
    await page.get_by_label("Mensaje").fill("Hola necesito un técnico")
    await page.get_by_label("Mensaje").press("Enter")
    (value,) = await sandbox.receiver.changes(1)
    assert value["messages"][0]["text"]["body"] == "Hola necesito un técnico"
    assert value["contacts"][0]["profile"]["name"] == "Ana Gómez"
    await expect(page.get_by_role("log")).to_contain_text("recibido por el webhook")
    await expect(page.locator(".payloads")).to_contain_text("Webhook hacia el producto")
    await page.locator(".payloads summary").first.click()
    await expect(page.locator(".payloads pre").first).to_contain_text('"object": "whatsapp_business_account"')


async def test_a_template_appears_live_with_its_link_and_is_reported_as_read(sandbox: Bench, page: Page) -> None:
    await sandbox.declare()
    await sandbox.send(type="template", template=TRACKING)
    await expect(page.get_by_role("log")).to_contain_text("Hola Ana, Luis ya salió.")
    link = page.get_by_role("link", name="Ver en el mapa")
    assert await link.get_attribute("href") == "http://127.0.0.1:8000/track/abc123"
    assert [each["status"] for each in await sandbox.receiver.statuses(3)] == ["sent", "delivered", "read"]
    await page.get_by_role("button", name="Reprogramar").click()
    answer = (await sandbox.receiver.changes(4))[3]["messages"][0]
    assert answer["button"] == {"payload": "job:J-1042:reschedule", "text": "Reprogramar"}


async def test_text_from_outside_stays_text(sandbox: Bench, page: Page) -> None:
    await sandbox.write(text="<img src=x onerror=alert(1)> http://127.0.0.1:9/<b>")
    await expect(page.get_by_role("log")).to_contain_text("<img src=x onerror=alert(1)>")
    assert await page.locator(".bubble img").count() == 0


async def test_a_location_can_be_sent(sandbox: Bench, page: Page) -> None:
    await page.get_by_label("Adjuntar").click()
    await page.get_by_role("button", name="Enviar ubicación").click()
    (value,) = await sandbox.receiver.changes(1)
    assert value["messages"][0]["location"] == {
        "latitude": -34.603851,
        "longitude": -58.383735,
        "address": "Av. Corrientes 1234, CABA",
    }


async def test_a_small_screen_shows_one_thing_at_a_time(sandbox: Bench, page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await expect(page.get_by_role("heading", name="Datos crudos")).to_be_hidden()
    await page.get_by_role("button", name="Datos crudos").click()
    await expect(page.get_by_role("heading", name="Datos crudos")).to_be_visible()
    await expect(page.get_by_label("Mensaje")).to_be_hidden()
    await page.get_by_role("button", name="Teléfonos").click()
    await page.get_by_label("Número, con código de país").fill("+54 9 11 5000-0002")
    await page.get_by_role("button", name="Usar este teléfono").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Teléfono de +54 9 11 5000-0002")
    assert await page.evaluate("document.documentElement.scrollWidth") == 390
    assert sandbox.receiver.attempts == 0


async def test_the_pages_follow_the_readers_language_and_run_no_script_of_others(sandbox: Bench) -> None:
    async with httpx2.AsyncClient(base_url=sandbox.url, trust_env=False) as reader:
        spanish = await reader.get("/phone")
        english = await reader.get("/phone", headers={"accept-language": "fr, en-GB;q=0.8, es;q=0.5"})
    assert 'lang="es-AR"' in spanish.text
    assert 'lang="en"' in english.text
    policy = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    assert spanish.headers["content-security-policy"] == policy


async def test_the_front_door_leads_to_every_phone_and_to_afip(sandbox: Bench) -> None:
    await sandbox.write(text="Hola")
    async with httpx2.AsyncClient(base_url=sandbox.url, trust_env=False) as reader:
        index = (await reader.get("/")).text
        assert f"/phone?account={NUMBER}&amp;wa_id={ANA}&amp;name=Ana+G%C3%B3mez" in index
        assert 'href="/afip/control"' in index
        assert (await reader.get("/afip/control")).status_code == 200
        assert (await reader.get("/static/sandbox.css")).status_code == 200


async def test_a_number_that_is_none_is_explained_and_not_shown_as_html(sandbox: Bench) -> None:
    async with httpx2.AsyncClient(base_url=sandbox.url, trust_env=False) as reader:
        page = (await reader.get("/phone", params={"wa_id": "<b>", "account": "unknown"})).text
    assert "&lt;b&gt; no es un teléfono con código de país" in " ".join(page.replace("</strong>", "").split())
    assert "<b>" not in page


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("5491155550123", "+54 9 11 5555-0123"),
        ("+541150000000", "+54 11 5000-0000"),
        ("5493515550142", "+54 9 351 555-0142"),
        ("15550100", "+15550100"),
    ],
)
def test_a_number_is_written_as_people_write_it(digits: str, expected: str) -> None:
    assert written(digits) == expected
