"""Which page is where, and what every request passes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import quote

import structlog
from attrs import frozen
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from core.identity import Unauthenticated
from core.kernel.errors import CuadrillaError, NotFound
from entrypoints.console import account, admin, invoices, jobs, log_in, notifications
from entrypoints.console.pages import failure
from entrypoints.console.turn import HOME, LOG_IN, Doors, Handler, Turn

FORM_AT_MOST: Final = 16 * 1024
"""Bytes of a form."""
_log: Final = structlog.get_logger("console")


@frozen
class Page:
    """What answers at a path; one that is `open` is there for strangers too."""

    path: str
    get: Handler | None = None
    post: Handler | None = None
    open: bool = False


async def _nothing(_: Turn) -> Response:
    msg = "there is no such page"
    raise NotFound(msg)


PAGES: Final = (
    Page(HOME, jobs.home),
    Page(LOG_IN, log_in.ask_phone, log_in.send_code, open=True),
    Page("/app/log-in/code", log_in.ask_phone, log_in.check_code, open=True),
    Page("/app/log-in/password", log_in.ask_password, log_in.check_password, open=True),
    Page("/app/register", log_in.ask_registration, log_in.register, open=True),
    Page("/app/log-out", None, log_in.log_out),
    Page("/app/language", None, log_in.choose_language, open=True),
    Page("/app/jobs", jobs.list_jobs),
    Page("/app/invoices", invoices.list_vouchers),
    Page("/app/invoices/{id}", invoices.show),
    Page("/app/invoices/{id}/pdf", invoices.pdf),
    Page("/app/invoices/{id}/credit", invoices.ask_credit, invoices.credit),
    Page("/app/invoices/{id}/issue", invoices.show, invoices.issue),
    Page("/app/invoices/{id}/settle", invoices.show, invoices.settle),
    Page("/app/settings", account.index),
    Page("/app/settings/account", account.show),
    Page("/app/settings/password", account.show, account.set_password),
    Page("/app/settings/second-factor", account.show, account.enrol),
    Page("/app/settings/second-factor/confirm", account.show, account.confirm),
    Page("/app/settings/second-factor/remove", account.show, account.remove),
    Page("/app/settings/sessions", account.list_sessions),
    Page("/app/settings/sessions/end-others", account.list_sessions, account.end_other_sessions),
    Page("/app/settings/sessions/{id}/end", account.list_sessions, account.end_session),
    Page("/app/settings/notifications", notifications.show, notifications.choose),
    Page("/app/settings/notifications/customers", notifications.show_customers, notifications.choose_customers),
    Page("/app/settings/notifications/devices/{id}/forget", notifications.show, notifications.forget_device),
    Page("/app/settings/deliveries", notifications.log),
    Page("/app/settings/team", admin.team, admin.enrol),
    Page("/app/settings/team/{id}", admin.team, admin.change),
    Page("/app/settings/service-tokens", admin.list_tokens, admin.make_token),
    Page("/app/settings/service-tokens/{id}/revoke", admin.list_tokens, admin.revoke_token),
    Page("/app/settings/audit", admin.audit),
    Page("/app/{rest:path}", _nothing, _nothing, open=True),
)


def console_routes(doors: Doors) -> list[Route]:
    """Return the routes of the console, all under `/app`; what no page answers is answered by a page as well."""
    return [
        Route(each.path, _serve(each, doors), methods=["GET", "POST"], max_body_size=FORM_AT_MOST) for each in PAGES
    ]


def _serve(page: Page, doors: Doors) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        turn = Turn.of(doors, request)
        try:
            await (doors.admit_to_log_in if request.method == "POST" and page.open else doors.admit)(request)
            turn = await turn.recognised()
            return await answer(turn)
        except (HTTPException, ClientDisconnect):
            raise
        except Unauthenticated:
            return _to_log_in(turn)
        except CuadrillaError as error:
            return await failure(turn, error)
        except Exception:  # a person shall see a page, and we the trace
            _log.exception("defect", request_id=request.state.request_id, path=request.url.path)
            return await failure(turn, None)

    async def answer(turn: Turn) -> Response:
        posted = turn.request.method == "POST"
        handler = (page.post if posted else page.get) or _nothing
        if turn.visit is None and not page.open:
            return _to_log_in(turn)
        if posted:
            turn = await turn.filled()
        return await handler(turn)

    return serve


def _to_log_in(turn: Turn) -> Response:
    """Lead a stranger to the log-in, and from there back to where they wanted to go."""
    url = turn.request.url
    back = f"{url.path}?{url.query}" if url.query else url.path
    was_in = "&said=ended" if turn.session_cookie else ""
    return turn.out(f"{LOG_IN}?next={quote(back, safe='/')}{was_in}")
