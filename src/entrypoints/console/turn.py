"""One request of a browser: who it is, which language, what it sent, and whether it may send it."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl, urlsplit

from attrs import evolve, frozen
from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core.identity import NewlyMade, Origin, Unauthenticated, Visit
from core.kernel.actor import Actor
from core.kernel.errors import Denied, Invalid
from entrypoints.languages import Language, language_of
from entrypoints.wiring import App

HOME: Final = "/app"
LOG_IN: Final = "/app/log-in"
_SESSION: Final = "cuadrilla_session"
_STRANGER: Final = "cuadrilla_stranger"
_LANGUAGE: Final = "cuadrilla_language"
_LIFE: Final = timedelta(days=30)
"""How long a browser keeps its session's cookie; the server decides for how long it counts."""
_YEAR: Final = timedelta(days=365)
_FIELDS: Final = 100
_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_NEXT: Final = re.compile(r"/app(/[a-z0-9_-]+)*(\?[A-Za-z0-9_.~%=&-]*)?")


class PageExpired(Denied):
    """The form was not given to this browser, in this session, by us."""

    code: ClassVar[str] = "console.page_expired"

    def __init__(self) -> None:
        super().__init__("the page has expired; open it again")


class Unreadable(Invalid):
    """The form cannot be read."""

    code: ClassVar[str] = "console.unreadable"


@frozen(kw_only=True)
class Doors:
    """What the console needs of the server that it is part of.

    `admit` and `admit_to_log_in` raise `Limited` for an address that asks too often; `bring` sends a code
    after the answer.
    """

    app: App
    origin: Callable[[Request], Origin]
    admit: Callable[[Request], Awaitable[None]]
    admit_to_log_in: Callable[[Request], Awaitable[None]]
    bring: Callable[[NewlyMade, Origin], None]

    @property
    def secure(self) -> bool:
        """Whether browsers reach us by https."""
        return self.app.settings.public_url.startswith("https://")

    def cookie_name(self, name: str) -> str:
        """Return the name of a cookie: by https one that no other host, nor plain http, can set."""
        return f"__Host-{name}" if self.secure else name

    def put_cookie(self, response: Response, name: str, value: str, *, life: timedelta) -> None:
        """Have the browser keep a value for us alone: no script reads it, and another site's forms do not bring it."""
        response.set_cookie(
            self.cookie_name(name),
            value,
            max_age=int(life.total_seconds()),
            path="/" if self.secure else HOME,
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )


@frozen(kw_only=True)
class Turn:
    """A request as the pages need it. `binding` is what ties a form to this browser: its session, or a stranger's cookie."""

    doors: Doors
    request: Request
    language: Language
    binding: str
    visit: Visit | None = None
    form: ImmutableMultiDict[str, str] = ImmutableMultiDict()

    @classmethod
    def of(cls, doors: Doors, request: Request) -> Turn:
        """Return the turn of somebody of whom nothing is known yet."""
        chosen = request.cookies.get(doors.cookie_name(_LANGUAGE))
        said = language_of(request.headers.get("accept-language"))
        language: Language = chosen if chosen in ("es", "en") else said  # type: ignore[assignment] # mypy narrows no str by `in`
        stranger = request.cookies.get(doors.cookie_name(_STRANGER), "")
        nonce = stranger if _NONCE.fullmatch(stranger) else secrets.token_urlsafe(32)
        return cls(doors=doors, request=request, language=language, binding=nonce)

    async def recognised(self) -> Turn:
        """Return the turn with whoever the session's cookie belongs to, if anybody."""
        cookie = self.session_cookie
        if not cookie:
            return self
        try:
            visit = await self.app.sessions.visit(
                cookie=cookie, correlation=self.request.state.request_id, origin=self.origin
            )
        except Unauthenticated:
            return self
        return evolve(self, visit=visit, binding=cookie)

    async def filled(self) -> Turn:
        """Return the turn with its form; raise `Unreadable`, or `PageExpired` for a form that is not ours."""
        try:
            body = (await self.request.body()).decode()
            pairs = parse_qsl(body, keep_blank_values=True, max_num_fields=_FIELDS)
        except ValueError as broken:
            msg = "the form cannot be read"
            raise Unreadable(msg) from broken
        turn = evolve(self, form=ImmutableMultiDict(pairs))
        shown = turn.secret("csrf") or self.request.headers.get("x-csrf-token", "")
        if not self._from_here or not hmac.compare_digest(self.csrf.encode(), shown.encode()):
            raise PageExpired
        return turn

    @property
    def app(self) -> App:
        return self.doors.app

    @property
    def origin(self) -> Origin:
        return self.doors.origin(self.request)

    @property
    def actor(self) -> Actor:
        """Who is logged in; raise `Unauthenticated` for a stranger."""
        if self.visit is None:
            raise Unauthenticated
        return self.visit.actor

    @property
    def session_cookie(self) -> str:
        return self.request.cookies.get(self.doors.cookie_name(_SESSION), "")

    @property
    def csrf(self) -> str:
        """What a form of this browser carries; whoever cannot read our pages cannot know it."""
        return self.app.console_digest(f"csrf:{self.binding}")

    @property
    def in_place(self) -> bool:
        """Whether htmx asked, and will put the answer into the page that is there."""
        return self.request.headers.get("hx-request") == "true"

    @property
    def next(self) -> str:
        """Where to go after the log-in: a page of the console, or its beginning."""
        wanted = self.secret("next") or self.request.query_params.get("next", "")
        return wanted if _NEXT.fullmatch(wanted) and not wanted.startswith(LOG_IN) else HOME

    def text(self, name: str) -> str:
        """Return a field as one line of printable characters."""
        return "".join(letter for letter in self.secret(name) if letter.isprintable()).strip()

    def secret(self, name: str) -> str:
        """Return a field as it came."""
        value: str = self.form.get(name, "")
        return value

    def go(self, path: str) -> Response:
        """Lead the browser on to a page."""
        return RedirectResponse(path, 303)

    def enter(self, cookie: str) -> Response:
        """Let the browser in and lead it to where it wanted to go."""
        response = self.go(self.next)
        self.doors.put_cookie(response, _SESSION, cookie, life=_LIFE)
        self._drop(response, _STRANGER)
        return response

    def out(self, path: str) -> Response:
        """Lead a browser that is logged out, or never was in, to a page."""
        response = self.go(path)
        if self.in_place:
            response = Response(headers={"hx-redirect": path})
        self._drop(response, _SESSION)
        return response

    def keep_language(self, language: Language) -> Response:
        """Remember the language and lead the browser back."""
        response = self.go(self.next if self.visit else self._next_of_stranger)
        self.doors.put_cookie(response, _LANGUAGE, language, life=_YEAR)
        return response

    def greet(self, response: Response) -> None:
        """Give a stranger the cookie that their forms are tied to."""
        if self.visit is None and self.request.cookies.get(self.doors.cookie_name(_STRANGER)) != self.binding:
            self.doors.put_cookie(response, _STRANGER, self.binding, life=timedelta(days=1))

    @property
    def _next_of_stranger(self) -> str:
        wanted = self.secret("next")
        return wanted if _NEXT.fullmatch(wanted) else LOG_IN

    @property
    def _from_here(self) -> bool:
        """Say whether the browser, as far as it tells, sends this from one of our own pages."""
        headers = self.request.headers
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        origin = headers.get("origin")
        if origin is None:
            return True
        try:
            return urlsplit(origin).netloc == headers.get("host") or origin == self.app.settings.public_url
        except ValueError:
            return False

    def _drop(self, response: Response, name: str) -> None:
        if self.doors.cookie_name(name) in self.request.cookies:
            self.doors.put_cookie(response, name, "", life=timedelta(0))


Handler = Callable[[Turn], Awaitable[Response]]
Given = dict[str, Any]
