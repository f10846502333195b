"""What people were told, how they want to be told, the apps on their phones, and Twilio's word on a text."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from attrs import evolve

from core.kernel.actor import Actor
from core.notifications import Recipient
from tests.contracts.samples import NOW
from tests.entrypoints.http.web import Web

SID: Final = "AC" + "a" * 32
TOKEN: Final = "token-of-twilio"
CHOICE: Final[dict[str, Any]] = {
    "channels": ["push", "sms"],
    "mutedEvents": ["job_completed"],
    "quietHours": {"enabled": True, "start": "21:30", "end": "07:00"},
    "timezone": "America/Argentina/Ushuaia",
    "language": "en",
    "digest": False,
}
EXPO: Final = "ExponentPushToken[moto]"


async def choices(web: Web, who: str, of: str | None = None) -> dict[str, Any]:
    answer = await web.get(f"/api/v1/users/{of or who}/notification-preferences", who)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def put(web: Web, body: object, who: str = "carlos", of: str = "carlos") -> Any:
    return await web.ask("PUT", f"/api/v1/users/{of}/notification-preferences", who, json=body)


async def test_somebody_who_never_chose_is_told_by_every_way_and_at_any_hour(web: Web) -> None:
    assert await choices(web, "carlos") == {
        "version": 0,
        "channels": ["whatsapp", "push", "sms", "email"],
        "mutedEvents": [],
        "quietHours": {"enabled": False, "start": "22:00", "end": "08:00"},
        "timezone": None,
        "language": "es",
        "digest": True,
    }


async def test_a_choice_is_kept_and_replaces_the_one_before(web: Web) -> None:
    answer = await put(web, CHOICE)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {**CHOICE, "version": 1} == await choices(web, "carlos")
    assert (await put(web, {"version": 1})).json()["channels"] == ["whatsapp", "push", "sms", "email"]
    stale = await put(web, {**CHOICE, "version": 1})
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_version")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"channels": ["fax"]}, "channels"),
        ({"timezone": "Mars/Olympus"}, "zone"),
        ({"quietHours": {"enabled": True, "start": "25:00"}}, "quietHours"),
        ({"quietHours": {"enabled": True, "start": "8", "end": "9"}}, "quietHours"),
        ({"quietHours": {"enabled": True, "start": "08:00", "end": "08:00"}}, "quietHours"),
        ({"language": "pt"}, "language"),
        ({"mutedEvents": ["weather"]}, "muted"),
    ],
)
async def test_a_choice_that_makes_no_sense_says_which_field(web: Web, wrong: dict[str, Any], field: str) -> None:
    answer = await put(web, wrong)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_colleagues_choices_are_for_those_who_manage_people(web: Web) -> None:
    assert (await put(web, CHOICE, "alba")).status_code == 200
    assert (await put(web, CHOICE, "lucia")).status_code == 403
    assert (await web.get("/api/v1/users/carlos/notification-preferences", "owen")).status_code == 404
    assert (await web.get("/api/v1/users/nobody/notification-preferences", "alba")).status_code == 404


async def test_customers_are_told_as_the_dispatcher_chooses(web: Web) -> None:
    path = "/api/v1/customers/notification-preferences"
    answer = await web.ask("PUT", path, json=CHOICE)
    assert (answer.status_code, (await web.get(path)).json()["quietHours"]) == (200, CHOICE["quietHours"])
    assert (await web.get(path, "carlos")).status_code == 403
    assert (await web.get(path, "owen")).json()["version"] == 0


async def test_an_app_is_registered_listed_and_forgotten_without_its_token(web: Web) -> None:
    new = {"provider": "expo", "token": EXPO, "name": "Moto G"}
    made = await web.post("/api/v1/push-devices", new, "carlos")
    assert made.status_code == 201, made.text
    again = await web.post("/api/v1/push-devices", new, "carlos")
    assert again.json()["id"] == made.json()["id"]
    (device,) = (await web.get("/api/v1/push-devices", "carlos")).json()["items"]
    assert (device["name"], device["provider"], EXPO in str(device)) == ("Moto G", "expo", False)
    for who in ("lucia", "owen"):
        assert (await web.ask("DELETE", f"/api/v1/push-devices/{device['id']}", who)).status_code == 404
    assert (await web.ask("DELETE", f"/api/v1/push-devices/{device['id']}", "carlos")).status_code == 204
    assert (await web.get("/api/v1/push-devices", "carlos")).json()["items"] == []
    assert (await web.post("/api/v1/push-devices", {**new, "token": "x"}, "carlos")).json()["field"] == "token"


async def test_an_app_ends_with_its_log_in_unless_it_has_a_newer_one(web: Web) -> None:
    async def device(log_in: str, number: int) -> None:
        new = {"provider": "expo", "token": f"ExponentPushToken[{number}]", "name": str(number)}
        headers = {"authorization": f"Bearer {log_in}"}
        assert (await web.client.post("/api/v1/push-devices", json=new, headers=headers)).status_code == 201

    stolen, kept = await web._log_in("carlos"), await web.token("carlos")
    await device(stolen, 1)
    await device(stolen, 2)
    await device(kept, 2)  # the app of this one logged in anew
    await device(kept, 3)
    session = web.app.sessions.named(token=stolen)
    assert (await web.ask("DELETE", f"/api/v1/auth/sessions/{session}", "carlos")).status_code == 204
    await web.settle()
    left = (await web.get("/api/v1/push-devices", "carlos")).json()["items"]
    assert {each["name"] for each in left} == {"2", "3"}


async def queued(web: Web, name: str, **more: Any) -> str:
    made = await web.app.notifications.notify(
        actor=Actor(tenant="demo", id="test", role="service", correlation="c"),
        key=name,
        template="technician_arrived",
        recipient=Recipient(id=name, kind="customer", name=name, address="+5491155550123"),
        parameters=(name, "Carlos"),
        **more,
    )
    assert made is not None
    web.clock.forward(minutes=1)
    return made.id


async def test_the_log_is_searched_and_paged(web: Web) -> None:
    for name in ("Ana Ruiz", "Íñigo Peña", "Bruno Ruiz"):
        await queued(web, name)

    async def names(query: str) -> list[str]:
        answer = await web.get(f"/api/v1/notifications?{query}")
        assert answer.status_code == 200, answer.text
        return [each["recipientName"] for each in answer.json()["items"]]

    assert await names("") == ["Bruno Ruiz", "Íñigo Peña", "Ana Ruiz"]
    assert await names(urlencode({"recipient": "ruiz"})) == ["Bruno Ruiz", "Ana Ruiz"]
    assert await names(urlencode({"recipient": "INIGO"})) == ["Íñigo Peña"]
    assert await names("status=failed") == []
    assert await names("status=queued&channel=whatsapp") == ["Bruno Ruiz", "Íñigo Peña", "Ana Ruiz"]
    period = {"from": "2026-11-20T12:01:00Z", "to": "2026-11-20T12:02:00Z"}
    assert await names(urlencode(period)) == ["Íñigo Peña"]
    first = (await web.get("/api/v1/notifications?recipient=ruiz&limit=1")).json()
    assert await names(f"recipient=ruiz&limit=1&cursor={first['nextCursor']}") == ["Ana Ruiz"]
    item = first["items"][0]
    assert item["history"] == [{"state": "queued", "at": "2026-11-20T12:02:00Z"}]
    assert (item["channel"], item["event"], item["waitsUntil"], item["digestId"]) == (
        "whatsapp",
        "technician_arrived",
        None,
        None,
    )


@pytest.mark.parametrize(
    "query", ["status=lost", "channel=fax", "from=yesterday", "to=2026-11-20T12:00:00", "cursor=x"]
)
async def test_a_search_that_makes_no_sense_is_refused(web: Web, query: str) -> None:
    answer = await web.get(f"/api/v1/notifications?{query}")
    assert answer.status_code in {400, 422}, answer.text


async def by_sms(web: Web) -> str:
    """Send a text of the tenant `demo`, as far as Twilio, and return the delivery's id."""
    account = {"account_sid": SID, "auth_token": TOKEN, "sender": "+541150009999"}
    setting_up = Actor(tenant="demo", id="set-up", role="service", correlation="set-up")
    async with web.app.store.begin(setting_up) as tx:
        await tx.credentials.put("demo", "twilio", account, label="", at=NOW)
    id_ = await queued(web, "Ana")
    async with web.app.store.begin(setting_up) as tx:
        delivery = await tx.deliveries.get("demo", id_)
        taken = evolve(delivery, channel="sms").attempt(at=web.clock()).sent(provider_id="SM1", at=web.clock())
        await tx.deliveries.save(taken)
    return id_


async def report(web: Web, delivery: str, status: str, *, tenant: str = "demo", token: str = TOKEN, **more: str) -> int:
    query = urlencode({"tenant": tenant, "delivery": delivery})
    form = {
        "AccountSid": SID,
        "MessageSid": "SM1",
        "MessageStatus": status,
        "To": "+5491155550123",
        "Empty": "",
        **more,
    }
    signed = f"{web.app.twilio.address}?{query}" + "".join(name + form[name] for name in sorted(form))
    signature = base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()
    answer = await web.client.post(f"/webhooks/twilio?{query}", data=form, headers={"x-twilio-signature": signature})
    return answer.status_code


async def logged(web: Web) -> tuple[str, str | None]:
    (item,) = (await web.get("/api/v1/notifications")).json()["items"]
    return item["state"], item["errorCode"]


async def test_twilio_s_word_completes_the_log(web: Web) -> None:
    delivery = await by_sms(web)
    for status, state in (
        ("queued", "sent"),
        ("delivered", "delivered"),
        ("sent", "delivered"),
        ("nonsense", "delivered"),
    ):
        assert await report(web, delivery, status) == 204
        assert await logged(web) == (state, None)
    assert (await web.get("/api/v1/notifications")).json()["items"][0]["history"][-1]["state"] == "delivered"


async def test_twilio_s_no_is_kept_with_its_code(web: Web) -> None:
    delivery = await by_sms(web)
    assert await report(web, delivery, "undelivered", ErrorCode="30003") == 204
    assert await logged(web) == ("failed", "30003")


async def test_what_twilio_did_not_sign_changes_nothing(web: Web) -> None:
    delivery = await by_sms(web)
    assert await report(web, delivery, "delivered", token="guessed") == 401
    assert await report(web, delivery, "delivered", tenant="other") == 401
    assert await report(web, delivery, "delivered", AccountSid="AC" + "b" * 32) == 401
    query = urlencode({"tenant": "demo", "delivery": delivery})
    bare = {"AccountSid": SID, "MessageSid": "SM1", "MessageStatus": "delivered"}
    assert (await web.client.post(f"/webhooks/twilio?{query}", data=bare)).status_code == 401
    form = {"content-type": "application/x-www-form-urlencoded"}
    for body in (b"\xff\xfe", b"a=%00", b"&".join(b"a=1" for _ in range(300))):
        answer = await web.client.post(f"/webhooks/twilio?{query}", content=body, headers=form)
        assert answer.status_code in {400, 401}
    assert await logged(web) == ("sent", None)


async def test_a_report_on_a_message_that_is_not_ours_is_answered(web: Web) -> None:
    delivery = await by_sms(web)
    assert await report(web, "dlv_nobody", "delivered", MessageSid="SM2") == 204
    assert await logged(web) == ("sent", None)
    assert await report(web, delivery, "delivered", MessageSid="") == 204
    assert await logged(web) == ("sent", None)
