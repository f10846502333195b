"""The console in a browser: people come in, set their second factor and go, by thumb, by keyboard, in both languages and schemes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from attrs import define, field
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.browser.console_stage import EMAIL, PHONE, Office, office
from tests.browser.tracking_stage import chromium
from tests.entrypoints.console.front import PASSWORD

THUMB: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1440, "height": 900}
LOCALES = {"es": "es-AR", "en": "en-US"}
SECTIONS = ("account", "sessions", "notifications", "deliveries", "team", "service-tokens", "audit")
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")
"""What Chromium writes when a page that says no is loaded; the page itself is what the test looks at."""


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def busy(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path) as stage:
        yield stage


@define
class Desk:
    """Somebody with a browser; what it complains about, and whatever it asks of others, fails the test."""

    page: Page
    office: Office
    complaints: list[str] = field(factory=list)

    async def open(self, path: str) -> None:
        await self.page.goto(self.office.url + path)

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def log_in_by_password(self) -> None:
        await self.open("/app/log-in/password")
        await self.page.get_by_label("Correo electrónico").fill(EMAIL)
        await self.page.get_by_label("Contraseña").fill(PASSWORD)
        await self.press("Entrar")
        await expect(self.page.get_by_role("heading", level=1)).to_have_text("Trabajos")

    async def keys(self, *names: str) -> None:
        for name in names:
            await self.page.keyboard.press(name)


@define
class _Sitting:
    """Lets people sit down at browsers of their own."""

    _browser: Browser
    _office: Office
    desks: list[Desk] = field(factory=list)

    async def __call__(
        self, *, viewport: ViewportSize = DESK, language: str = "es", scheme: Any = "light", script: bool = True
    ) -> Desk:
        context = await self._browser.new_context(
            locale=LOCALES[language], viewport=viewport, color_scheme=scheme, java_script_enabled=script
        )
        page = await context.new_page()
        page.set_default_timeout(30_000)
        desk = Desk(page, self._office)
        page.on(
            "console",
            lambda said: (
                desk.complaints.append(said.text) if said.type == "error" and not REFUSED.match(said.text) else None
            ),
        )
        page.on("pageerror", lambda failure: desk.complaints.append(str(failure)))
        page.on(
            "request",
            lambda asked: (
                None if asked.url.startswith((self._office.url, "data:")) else desk.complaints.append(asked.url)
            ),
        )
        self.desks.append(desk)
        return desk


@pytest.fixture
async def sitting(browser: Browser, busy: Office) -> AsyncIterator[_Sitting]:
    sitting = _Sitting(browser, busy)
    yield sitting
    for desk in sitting.desks:
        await desk.page.context.close()
        assert desk.complaints == []


async def test_a_dispatcher_logs_in_by_code_on_a_phone_and_leaves(sitting: _Sitting, busy: Office) -> None:
    desk = await sitting(viewport=THUMB)
    page = desk.page
    await desk.open("/app")
    phone = page.get_by_label("Tu teléfono")
    await expect(phone).to_be_focused()
    assert await phone.get_attribute("inputmode") == "tel"
    await phone.fill("123")
    await desk.press("Enviarme el código")
    await expect(page.get_by_text("No podemos escribirle a ese número.")).to_be_visible()
    await expect(phone).to_be_focused()
    await expect(phone).to_have_accessible_description(re.compile("No podemos escribirle"))
    await expect(page).to_have_title(re.compile("^Error: Entrar"))
    await phone.fill("11 15 5000-0009")
    await desk.press("Enviarme el código")
    code = page.get_by_label("Código de seis números")
    await expect(code).to_be_focused()
    assert await code.get_attribute("autocomplete") == "one-time-code"
    assert await code.get_attribute("inputmode") == "numeric"
    sent = busy.web.whatsapp.sent[-1].code
    await page.evaluate("code => document.activeElement.setRangeText(code, 0, 0, 'end')", f"{sent[:3]} {sent[3:]}")
    await code.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Trabajos")
    assert page.url == f"{busy.url}/app/jobs"
    await expect(page.get_by_role("link", name="Trabajos")).to_have_attribute("aria-current", "page")
    await page.get_by_text("Más", exact=True).click()
    await expect(page.get_by_text("Conversaciones").locator("visible=true")).to_be_visible()
    await page.get_by_role("button", name="Cerrar sesión").locator("visible=true").click()
    await expect(page.get_by_text("Cerraste la sesión.")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Entrar")


async def test_a_second_factor_is_turned_on_and_asked_for_and_the_password_stays_typed(
    sitting: _Sitting, busy: Office
) -> None:
    desk = await sitting()
    page = desk.page
    await desk.log_in_by_password()
    await page.get_by_role("link", name="Ajustes").click()
    await desk.press("Activar el segundo factor")
    picture = page.get_by_role("img", name="Código QR para la app de autenticación")
    await expect(picture).to_be_visible()
    await page.get_by_text("¿No podés escanearlo?").click()
    app = pyotp.TOTP((await page.locator("code.secret").inner_text()).replace(" ", ""))
    assert await picture.get_attribute("src")
    number = page.get_by_label("Número de la app")
    await number.fill("000000")
    await desk.press("Confirmar")
    await expect(page.get_by_text("Ese código no es correcto")).to_be_visible()
    await expect(number).to_be_focused()
    await expect(picture).to_be_visible()
    await number.fill(app.at(busy.web.clock.at))
    await desk.press("Confirmar")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Guardá tus códigos de recuperación")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await desk.press("Copiar")
    await expect(page.get_by_role("button", name="Copiado")).to_be_visible()
    codes = (await page.evaluate("navigator.clipboard.readText()")).split()
    assert codes == await page.locator("#codes code").all_inner_texts()
    assert len(codes) == 10

    busy.web.clock.forward(minutes=6)
    other = await sitting()
    await other.open("/app/log-in/password?next=/app/settings/sessions")
    await other.page.get_by_label("Correo electrónico").fill(EMAIL)
    await other.page.get_by_label("Contraseña").fill(PASSWORD)
    await other.press("Entrar")
    factor = other.page.get_by_label("Código del segundo factor")
    await expect(factor).to_be_focused()
    await expect(other.page.get_by_label("Contraseña")).to_have_value(PASSWORD)
    await factor.fill(app.at(busy.web.clock.at))
    await other.press("Entrar")
    await expect(other.page.get_by_role("heading", level=1)).to_have_text("Mis sesiones")
    await expect(other.page.get_by_text("Entró con contraseña y segundo factor")).to_be_visible()


async def test_everything_is_done_from_the_keyboard(sitting: _Sitting, busy: Office) -> None:
    desk = await sitting()
    page = desk.page
    await desk.open("/app/log-in")
    await expect(page.get_by_label("Tu teléfono")).to_be_focused()
    await page.keyboard.type(PHONE)
    await desk.keys("Enter")
    await expect(page.get_by_label("Código de seis números")).to_be_focused()
    await page.keyboard.type(busy.web.whatsapp.sent[-1].code)
    await desk.keys("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Trabajos")
    await page.reload()
    await desk.keys("Tab")
    await expect(page.get_by_role("link", name="Ir al contenido")).to_be_focused()
    await expect(page.get_by_role("link", name="Ir al contenido")).to_be_in_viewport()
    await desk.keys("Enter", "Tab")
    await expect(page.get_by_label("Estado")).to_be_focused()
    await page.reload()
    await desk.keys("/")
    await expect(page.get_by_label("Estado")).to_be_focused()
    await page.reload()
    seen = []
    for _ in range(7):
        await desk.keys("Tab")
        seen.append(await page.evaluate("document.activeElement.textContent.trim()"))
        outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", seen
    assert seen[:4] == ["Ir al contenido", "Trabajos", "Facturas", "Ajustes"]
    assert "Conversaciones" not in seen


async def test_it_all_works_without_javascript(sitting: _Sitting, busy: Office) -> None:
    desk = await sitting(viewport=THUMB, script=False)
    page = desk.page
    await desk.log_in_by_password()
    await page.get_by_role("link", name="Ajustes").click()
    await page.get_by_role("link", name="Mis sesiones").click()
    await expect(page.get_by_role("listitem").filter(has_text="Safari en iPhone")).to_be_visible()
    await page.get_by_role("button", name="Cerrar la sesión de Safari en iPhone").click()
    await expect(page.get_by_text("Listo: esa sesión terminó.")).to_be_visible()
    await page.get_by_role("link", name="Ajustes").first.click()
    await page.get_by_role("link", name="Tokens de servicio").click()
    await page.get_by_label("Nombre").fill("Mi planilla")
    await page.get_by_label("Trabajos: ver").check()
    await desk.press("Crear el token")
    await expect(page.get_by_role("textbox", name="Token de «Mi planilla»")).to_have_value(re.compile("^cst_"))


async def test_no_page_stays_in_the_browser_and_what_one_types_is_nowhere_in_an_address(sitting: _Sitting) -> None:
    desk = await sitting()
    page = desk.page
    addresses: list[str] = []
    page.on("request", lambda asked: addresses.append(asked.url))
    await desk.log_in_by_password()
    await page.get_by_role("link", name="Ajustes").click()
    await page.get_by_role("link", name="Registro de actividad").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Registro de actividad")
    assert await page.evaluate("[localStorage.length, Object.keys(sessionStorage).join()]") in (
        [0, ""],
        [0, "htmx-current-path-for-history"],
    )
    assert not [each for each in addresses if EMAIL in each or "frase" in each]
    await page.go_back()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Ajustes")
    assert await page.evaluate("document.cookie") == ""


PATHS = (
    "/app/jobs",
    "/app/invoices",
    *(f"/app/invoices/inv_{each}" for each in ("issued", "lost", "refused", "plain/credit")),
    "/app/settings",
    *(f"/app/settings/{each}" for each in SECTIONS),
    "/app/settings/notifications/customers",
    "/app/settings/deliveries?who=nadie",
    "/app/nothing",
    "/app/jobs?status=working",
)


async def faults(page: Page, *rules: str) -> list[str]:
    """Return what axe finds that is serious or worse, by these rules or by all."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE_FILE_PATH.read_text())
    options = {"runOnly": list(rules)} if rules else {}
    found = await page.evaluate("options => axe.run(document, {...options, resultTypes: ['violations']})", options)
    return [
        f"{page.url} {each['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


@pytest.mark.parametrize(("viewport", "language"), [(THUMB, "es"), (DESK, "en")], ids=["390-es", "1440-en"])
async def test_axe_finds_nothing_serious_in_either_scheme_and_nothing_is_wider_than_the_screen(
    viewport: ViewportSize, language: str, sitting: _Sitting, busy: Office
) -> None:
    """It visits every page there is, and axe looks twice at each, so it takes longer than others."""
    desk = await sitting(viewport=viewport, language=language)
    page, found = desk.page, list[str]()

    async def look() -> None:
        await page.emulate_media(color_scheme="light")
        found.extend(await faults(page))
        await page.emulate_media(color_scheme="dark")
        found.extend(await faults(page, "color-contrast"))
        for size in (DESK, THUMB) if viewport is THUMB else (THUMB, DESK):
            await page.set_viewport_size(size)
            if await page.evaluate("document.documentElement.scrollWidth") > size["width"]:
                found.append(f"{page.url} is wider than {size['width']}")
        if viewport is THUMB:
            found.extend(f"{page.url} too small: {each}" for each in await page.evaluate(_SMALL))

    for path in ("/app/log-in", "/app/log-in/password", "/app/register"):
        await desk.open(path)
        await look()
    await desk.open("/app/log-in")
    await page.locator("#phone").fill("123")
    await page.locator(".form .button").click()
    await page.locator("#phone-problem").wait_for()
    await look()
    await page.locator("#phone").fill(PHONE)
    await page.locator(".form .button").click()
    await page.locator("#code").wait_for()
    await look()
    await desk.open("/app/log-in/password")
    await page.locator("#email").fill(EMAIL)
    await page.locator("#password").fill("otra")
    await page.locator(".form .button").click()
    await page.locator(".alert.bad").wait_for()
    await look()
    await page.locator("#password").fill(PASSWORD)
    await page.locator(".form .button").click()
    await page.locator(".rail").wait_for()
    for path in PATHS:
        await desk.open(path)
        await look()
    await desk.open("/app/settings/account")
    await page.locator("form[action$='second-factor'] .button").click()
    await page.locator(".qr").wait_for()
    await look()
    secret = (await page.locator("code.secret").text_content() or "").replace(" ", "")
    await page.locator("#totp").fill(pyotp.TOTP(secret).at(busy.web.clock.at))
    await page.locator("#confirm .button").click()
    await page.locator("#codes").wait_for()
    await look()
    assert found == []


_SMALL = """() => [...document.querySelectorAll("a, button, input, select, summary")]
    .filter(each => each.checkVisibility() && !each.closest(".hidden, .skip") && !each.matches(".hidden, [type=checkbox], [type=hidden]"))
    .filter(each => each.getBoundingClientRect().height < 44 && !each.matches("p a"))
    .map(each => each.outerHTML.slice(0, 100))"""
"""What a thumb would miss: controls lower than 44 pixels, links inside a sentence apart."""
