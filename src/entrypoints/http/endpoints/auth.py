"""Logging in and out, second factors, sessions, machines, and the audit log."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from attrs import frozen
from starlette.responses import Response

from core.identity import Enrolment, NewlyMade, Origin, Otp, ServiceToken, Session, Tokens
from core.kernel.events import Envelope
from entrypoints.http.endpoints.endpoint import PAGED, Answer, Call, Endpoint
from entrypoints.http.views import UserView

_EMPTY: Final = 204


@frozen(kw_only=True)
class WantedCode:
    """The phone as its owner writes it."""

    phone: str


@frozen(kw_only=True)
class CodeView:
    """A code is on its way, if the phone can be written to; seconds until it is over, and until another may be asked for."""

    expires_in: int
    resend_after: int


@frozen(kw_only=True)
class GivenCode:
    """The code from the phone; `totp` if there is a second factor, `tenant` to choose where several know the phone."""

    phone: str
    otp: str
    totp: str | None = None
    tenant: str | None = None


@frozen(kw_only=True)
class Registration:
    """Whoever registers founds a tenant."""

    email: str
    password: str
    name: str
    business: str = ""


@frozen(kw_only=True)
class Credentials:
    """`totp` if there is a second factor: a code of the app, or a recovery code."""

    email: str
    password: str
    totp: str | None = None


@frozen(kw_only=True)
class Refresh:
    """The newest refresh token of a session."""

    refresh_token: str


@frozen(kw_only=True)
class TokensView:
    """An access token for the seconds of `expiresIn`, and the refresh token that buys the next pair, once."""

    access_token: str
    refresh_token: str
    expires_in: int
    user: UserView

    @classmethod
    def of(cls, tokens: Tokens) -> TokensView:
        return cls(
            access_token=tokens.access,
            refresh_token=tokens.refresh,
            expires_in=tokens.expires_in,
            user=UserView.of(tokens.user),
        )


@frozen(kw_only=True)
class TenantView:
    """The business that one works for."""

    id: str
    name: str
    zone: str


@frozen(kw_only=True)
class MeView:
    """Who is asking."""

    id: str
    name: str
    role: str
    tenant: TenantView


@frozen(kw_only=True)
class NewPassword:
    """`current` is needed by whoever has a password already."""

    password: str
    current: str | None = None


@frozen(kw_only=True)
class EnrolmentView:
    """For an authenticator app: the address goes into a QR code, the secret is for typing. Shown this once."""

    secret: str
    uri: str

    @classmethod
    def of(cls, enrolment: Enrolment) -> EnrolmentView:
        return cls(secret=enrolment.secret, uri=enrolment.uri)


@frozen(kw_only=True)
class FactorCode:
    """A code that the app shows, or, to remove the factor, a recovery code."""

    code: str


@frozen(kw_only=True)
class RecoveryCodesView:
    """Each lets its owner in once without the app. Shown this once."""

    recovery_codes: tuple[str, ...]


@frozen(kw_only=True)
class SessionView:
    """Being logged in on one device."""

    id: str
    method: str
    ip: str
    agent: str
    opened_at: datetime
    used_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, session: Session) -> SessionView:
        return cls(
            id=session.id,
            method=session.method,
            ip=session.ip,
            agent=session.agent,
            opened_at=session.opened_at,
            used_at=session.used_at,
            expires_at=session.expires_at,
        )


@frozen(kw_only=True)
class SessionPage:
    """Live sessions, the one used last first."""

    items: tuple[SessionView, ...]
    next_cursor: str | None = None


@frozen(kw_only=True)
class NewServiceToken:
    """What a machine may do, as permissions, and for how many days."""

    label: str
    scopes: tuple[str, ...]
    days: int = 90


@frozen(kw_only=True)
class ServiceTokenView:
    """A machine's token, without the token."""

    id: str
    label: str
    scopes: tuple[str, ...]
    made_by: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None

    @classmethod
    def of(cls, token: ServiceToken) -> ServiceTokenView:
        return cls(
            id=token.id,
            label=token.label,
            scopes=token.scopes,
            made_by=token.made_by,
            made_at=token.made_at,
            expires_at=token.expires_at,
            revoked_at=token.revoked_at,
        )


@frozen(kw_only=True)
class MadeServiceToken:
    """A new token; it is shown this once."""

    token: str
    service_token: ServiceTokenView


@frozen(kw_only=True)
class ServiceTokenPage:
    """Machines' tokens, the newest first."""

    items: tuple[ServiceTokenView, ...]
    next_cursor: str | None = None


@frozen(kw_only=True)
class AuditEntryView:
    """A fact of the audit log: what happened, to whom, by whom and from where."""

    id: str
    event: str
    at: datetime
    actor: str
    user_id: str | None
    ip: str
    agent: str
    details: Mapping[str, Any]

    @classmethod
    def of(cls, envelope: Envelope) -> AuditEntryView:
        said: dict[str, Any] = dict(envelope.payload)
        return cls(
            id=envelope.id,
            event=envelope.event_type,
            at=envelope.timestamp,
            actor=envelope.actor,
            user_id=said.pop("user_id", None),
            ip=said.pop("ip", ""),
            agent=said.pop("agent", ""),
            details=said,
        )


@frozen(kw_only=True)
class AuditPage:
    """The audit log, the newest first."""

    items: tuple[AuditEntryView, ...]
    next_cursor: str | None = None


async def send_code(call: Call) -> Answer:
    wanted: WantedCode = call.body
    made = await call.app.otp.request(phone=wanted.phone, origin=call.origin)
    rules = call.app.otp.rules
    if made is not None:
        call.later(bring(call.app.otp, made, call.origin))
    pause = min(rule.seconds for rule in rules.per_phone)
    return 202, CodeView(expires_in=int(rules.life.total_seconds()), resend_after=int(pause))


async def bring(otp: Otp, made: NewlyMade, origin: Origin) -> None:
    """Send the code, after the answer, which would else tell by its time what became of it; and by SMS if it does not arrive."""
    sent = await otp.send(made=made, origin=origin)
    if sent is not None:
        await asyncio.sleep(otp.rules.in_time.total_seconds())
        await otp.fall_back(sent=sent, origin=origin)


async def verify_code(call: Call) -> Answer:
    given: GivenCode = call.body
    tokens = await call.app.otp.verify(
        phone=given.phone, code=given.otp, totp=given.totp, tenant=given.tenant, origin=call.origin
    )
    return 200, TokensView.of(tokens)


async def register(call: Call) -> Answer:
    new: Registration = call.body
    tokens = await call.app.passwords.register(
        email=new.email, password=new.password, name=new.name, business=new.business, origin=call.origin
    )
    return 201, TokensView.of(tokens)


async def log_in(call: Call) -> Answer:
    given: Credentials = call.body
    tokens = await call.app.passwords.log_in(
        email=given.email, password=given.password, totp=given.totp, origin=call.origin
    )
    return 200, TokensView.of(tokens)


async def refresh(call: Call) -> Answer:
    shown: Refresh = call.body
    return 200, TokensView.of(await call.app.sessions.refresh(token=shown.refresh_token, origin=call.origin))


async def log_out(call: Call) -> Response:
    shown: Refresh = call.body
    await call.app.sessions.log_out(token=shown.refresh_token, origin=call.origin)
    return Response(status_code=_EMPTY)


async def show_me(call: Call) -> Answer:
    tenant = await call.app.identity.tenant(actor=call.actor)
    me = MeView(
        id=call.actor.id,
        name=await call.app.identity.name(actor=call.actor),
        role=call.actor.role,
        tenant=TenantView(id=tenant.id, name=tenant.name, zone=tenant.zone),
    )
    return 200, me


async def set_password(call: Call) -> Response:
    wanted: NewPassword = call.body
    session = await call.app.sessions.session_of(token=call.token)
    await call.app.passwords.set_password(
        actor=call.actor, new=wanted.password, old=wanted.current, session_id=session, origin=call.origin
    )
    return Response(status_code=_EMPTY)


async def enrol_totp(call: Call) -> Answer:
    return 201, EnrolmentView.of(await call.app.second_factors.enrol(actor=call.actor, origin=call.origin))


async def confirm_totp(call: Call) -> Answer:
    given: FactorCode = call.body
    codes = await call.app.second_factors.confirm(actor=call.actor, code=given.code, origin=call.origin)
    return 200, RecoveryCodesView(recovery_codes=codes)


async def remove_totp(call: Call) -> Response:
    given: FactorCode = call.body
    await call.app.second_factors.remove(actor=call.actor, code=given.code, origin=call.origin)
    return Response(status_code=_EMPTY)


async def list_sessions(call: Call) -> Answer:
    sessions: Sequence[Session] = await call.app.sessions.list(actor=call.actor, user_id=call.query("userId"))
    return 200, SessionPage(items=tuple(map(SessionView.of, sessions)))


async def revoke_session(call: Call) -> Response:
    await call.app.sessions.revoke(actor=call.actor, session_id=call.path("id"), origin=call.origin)
    return Response(status_code=_EMPTY)


async def list_service_tokens(call: Call) -> Answer:
    tokens = await call.app.machines.list(actor=call.actor)
    return 200, ServiceTokenPage(items=tuple(map(ServiceTokenView.of, tokens)))


async def make_service_token(call: Call) -> Answer:
    new: NewServiceToken = call.body
    # Beyond what a timedelta can hold there is nothing to decide.
    life = timedelta(days=max(-1, min(new.days, 100_000)))
    token, made = await call.app.machines.make(
        actor=call.actor, label=new.label, scopes=frozenset(new.scopes), life=life
    )
    return 201, MadeServiceToken(token=token, service_token=ServiceTokenView.of(made))


async def revoke_service_token(call: Call) -> Response:
    await call.app.machines.revoke(actor=call.actor, token_id=call.path("id"))
    return Response(status_code=_EMPTY)


async def read_audit_log(call: Call) -> Answer:
    entries, cursor = await call.app.audit.read(actor=call.actor, limit=call.limit, cursor=call.query("cursor"))
    return 200, AuditPage(items=tuple(map(AuditEntryView.of, entries)), next_cursor=cursor)


AUTH: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        method="POST",
        path="/api/v1/auth/otp",
        area="auth",
        summary="Send a one-time code to a phone; the answer is the same whether or not anybody has it",
        handler=send_code,
        body=WantedCode,
        answers={202: CodeView},
        problems=(422,),
        open=True,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/auth/verify",
        area="auth",
        summary="Log in with the code; a phone that nobody knows founds a tenant",
        handler=verify_code,
        body=GivenCode,
        answers={200: TokensView},
        problems=(422,),
        open=True,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/auth/register",
        area="auth",
        summary="Found a tenant with an address and a password",
        handler=register,
        body=Registration,
        answers={201: TokensView},
        problems=(409, 422, 503),
        open=True,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/auth/login",
        area="auth",
        summary="Log in with address and password",
        handler=log_in,
        body=Credentials,
        answers={200: TokensView},
        problems=(422, 503),
        open=True,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/auth/refresh",
        area="auth",
        summary="Buy the next pair of tokens; one that was spent before ends its session",
        handler=refresh,
        body=Refresh,
        answers={200: TokensView},
        open=True,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/auth/logout",
        area="auth",
        summary="End the session that a refresh token belongs to",
        handler=log_out,
        body=Refresh,
        answers={204: None},
        open=True,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/auth/me",
        area="auth",
        summary="Show who is asking",
        handler=show_me,
        answers={200: MeView},
    ),
    Endpoint(
        method="PUT",
        path="/api/v1/auth/password",
        area="auth",
        summary="Choose another password; all other sessions end",
        handler=set_password,
        body=NewPassword,
        answers={204: None},
        problems=(409, 422, 503),
    ),
    Endpoint(
        method="POST",
        path="/api/v1/auth/totp",
        area="auth",
        summary="Begin a second factor; it counts once it is confirmed",
        handler=enrol_totp,
        answers={201: EnrolmentView},
        problems=(409,),
    ),
    Endpoint(
        method="POST",
        path="/api/v1/auth/totp/confirm",
        area="auth",
        summary="Confirm the second factor with a code of the app, and get the recovery codes",
        handler=confirm_totp,
        body=FactorCode,
        answers={200: RecoveryCodesView},
        problems=(409,),
    ),
    Endpoint(
        method="POST",
        path="/api/v1/auth/totp/remove",
        area="auth",
        summary="Ask for the second factor no more; takes a last code of it",
        handler=remove_totp,
        body=FactorCode,
        answers={204: None},
        problems=(409,),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/auth/sessions",
        area="auth",
        summary="List where one is logged in; admins see a colleague's with userId",
        handler=list_sessions,
        query=("userId",),
        answers={200: SessionPage},
    ),
    Endpoint(
        method="DELETE",
        path="/api/v1/auth/sessions/{id}",
        area="auth",
        summary="End a session",
        handler=revoke_session,
        answers={204: None},
        problems=(404,),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/service-tokens",
        area="auth",
        summary="List machines' tokens, the newest first",
        handler=list_service_tokens,
        answers={200: ServiceTokenPage},
    ),
    Endpoint(
        method="POST",
        path="/api/v1/service-tokens",
        area="auth",
        summary="Make a token for a machine; it is shown this once",
        handler=make_service_token,
        body=NewServiceToken,
        answers={201: MadeServiceToken},
        problems=(422,),
    ),
    Endpoint(
        method="DELETE",
        path="/api/v1/service-tokens/{id}",
        area="auth",
        summary="Revoke a machine's token",
        handler=revoke_service_token,
        answers={204: None},
        problems=(404,),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/audit",
        area="auth",
        summary="The audit log of the tenant, the newest first",
        handler=read_audit_log,
        query=PAGED,
        answers={200: AuditPage},
        problems=(422,),
    ),
)
