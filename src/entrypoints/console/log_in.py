"""Coming in and going out: by a code on the phone, by address and password, and by founding a business."""

from __future__ import annotations

from starlette.responses import Response

from core.identity import SecondFactorNeeded, Tokens, WrongSecondFactor
from core.kernel.errors import CuadrillaError, Unavailable
from entrypoints.console.pages import form_again, page, say
from entrypoints.console.turn import LOG_IN, Turn

ONLY_THE_FACTOR = {"HX-Retarget": "#factor", "HX-Reselect": "#factor", "HX-Reswap": "outerHTML", "HX-Push-Url": "false"}
"""htmx adds the field for the second factor and leaves what was typed where it is: we send no password back."""


async def ask_phone(turn: Turn) -> Response:
    """Show the form for a phone."""
    if turn.visit is not None:
        return turn.go(turn.next)
    said = {"ended": "log_in.again", "left": "log_in.left"}.get(turn.request.query_params.get("said", ""))
    return await page(turn, "log_in.html", said=said and say(turn.language, said))


async def send_code(turn: Turn) -> Response:
    """Send a code and show the form for it."""
    phone = turn.text("phone")
    again = "code.html" if turn.text("again") else "log_in.html"
    try:
        made = await turn.app.otp.request(phone=phone, origin=turn.origin)
    except CuadrillaError as error:
        return await form_again(turn, again, error, given={"phone": phone})
    if made is not None:
        turn.doors.bring(made, turn.origin)
    return await page(turn, "code.html", given={"phone": phone})


async def check_code(turn: Turn) -> Response:
    """Let in whoever has the code."""
    phone, code, totp = turn.text("phone"), turn.text("code"), turn.text("totp")
    digits = "".join(letter for letter in code if letter.isdigit())
    given = {"phone": phone, "code": code}
    try:
        tokens = await turn.app.otp.verify(phone=phone, code=digits, totp=totp or None, origin=turn.origin)
    except SecondFactorNeeded:
        return await page(turn, "code.html", headers=ONLY_THE_FACTOR, given=given, factor=True)
    except WrongSecondFactor:
        problems = {"": say(turn.language, "problem.factor_spent")}
        return await page(turn, "log_in.html", status=422, given=given, problems=problems)
    except CuadrillaError as error:
        return await form_again(turn, "code.html", error, given=given, factor=bool(totp))
    return await _enter(turn, tokens)


async def ask_password(turn: Turn) -> Response:
    """Show the form for address and password."""
    return turn.go(turn.next) if turn.visit is not None else await page(turn, "password.html")


async def check_password(turn: Turn) -> Response:
    """Let in whoever knows the password."""
    email, totp = turn.text("email"), turn.text("totp")
    given = {"email": email}
    try:
        tokens = await turn.app.passwords.log_in(
            email=email, password=turn.secret("password"), totp=totp or None, origin=turn.origin
        )
    except SecondFactorNeeded:
        return await page(turn, "password.html", headers=ONLY_THE_FACTOR, given=given, factor=True)
    except CuadrillaError as error:
        return await form_again(turn, "password.html", error, given=given, factor=bool(totp))
    return await _enter(turn, tokens)


async def ask_registration(turn: Turn) -> Response:
    """Show the form for a new business."""
    return turn.go(turn.next) if turn.visit is not None else await page(turn, "register.html")


async def register(turn: Turn) -> Response:
    """Found a business and let its owner in."""
    given = {name: turn.text(name) for name in ("email", "name", "business")}
    try:
        tokens = await turn.app.passwords.register(**given, password=turn.secret("password"), origin=turn.origin)
    except CuadrillaError as error:
        return await form_again(turn, "register.html", error, given=given)
    return await _enter(turn, tokens)


async def log_out(turn: Turn) -> Response:
    """End the session of this browser."""
    await turn.app.sessions.leave(cookie=turn.session_cookie, origin=turn.origin)
    return turn.out(f"{LOG_IN}?said=left")


async def choose_language(turn: Turn) -> Response:
    """Speak the other language from now on."""
    return turn.keep_language("en" if turn.text("language") == "en" else "es")


async def _enter(turn: Turn, tokens: Tokens) -> Response:
    try:
        cookie = await turn.app.sessions.keep_in_browser(tokens=tokens, origin=turn.origin)
    except CuadrillaError as failed:
        msg = "the session that was just begun is gone"
        raise Unavailable(msg) from failed
    return turn.enter(cookie)
