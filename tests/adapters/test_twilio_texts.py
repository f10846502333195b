"""Twilio's signature as Twilio's own library makes it, and texts over the sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from adapters.twilio import TwilioAccount, TwilioApi, TwilioTexts, is_signed
from core.kernel.errors import NotFound
from core.notifications import Delivery, Recipient, SendRefused
from tests.contracts.samples import NOW
from tests.entrypoints.sandbox.whatsapp_bench import bench

ACCOUNT: Final = TwilioAccount(account_sid="AC" + "a" * 32, auth_token="token-of-twilio", sender="+541150009999")
URL: Final = "https://cuadrilla.example/webhooks/twilio?tenant=demo&delivery=dlv_1"
words: Final = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


def a_text(**wanted: Any) -> Delivery:
    known: dict[str, Any] = {
        "id_": "dlv_1",
        "tenant": "demo",
        "key": "k",
        "template": "tracking_link_customer",
        "recipient": Recipient(id="cust_1", kind="customer", name="Ana Ruiz", address="+5491155550123"),
        "parameters": ("Ana", "Carlos"),
        "link": "abc",
        "attachment": None,
        "job_id": None,
        "at": NOW,
        "channel": "sms",
    }
    return Delivery.queued(**{**known, **wanted})


@given(form=st.dictionaries(words.filter(bool), words, max_size=6))
def test_what_twilio_s_library_signs_is_signed(form: dict[str, str]) -> None:
    made = RequestValidator("secret").compute_signature(URL, form)
    assert is_signed(URL, list(form.items()), "secret", made)
    assert not is_signed(URL, list(form.items()), "other", made)
    assert not is_signed(URL + "x", list(form.items()), "secret", made)
    assert not is_signed(URL, [*form.items(), ("more", "1")], "secret", made)


@pytest.mark.parametrize(
    ("signed", "configured"),
    [
        ("https://cuadrilla.example:443/x", "https://cuadrilla.example/x"),
        ("https://cuadrilla.example/x", "https://cuadrilla.example:443/x"),
        ("http://cuadrilla.example:80/x", "http://cuadrilla.example/x"),
        ("https://cuadrilla.example:8443/x", "https://cuadrilla.example:8443/x"),
    ],
)
def test_the_usual_port_may_stand_in_the_address_or_not(signed: str, configured: str) -> None:
    made = RequestValidator("secret").compute_signature(signed, {"a": "1"})
    assert is_signed(configured, [("a", "1")], "secret", made)


@pytest.mark.parametrize("given_", [None, "", "ñ", "\ud800", "AAAA"])
def test_what_is_no_signature_is_none(given_: str | None) -> None:
    assert not is_signed(URL, [("a", "1")], "secret", given_)


def test_a_field_given_twice_counts_once_for_each_value() -> None:
    class Fields(dict[str, str]):
        def getall(self, _: str) -> list[str]:
            return ["2", "1", "2"]

    made = RequestValidator("secret").compute_signature(URL, Fields(a="2"))
    assert is_signed(URL, [("a", "2"), ("a", "1"), ("a", "2")], "secret", made)


async def test_a_text_carries_its_link_and_asks_for_reports(tmp_path: Path) -> None:
    async def account_of(tenant: str) -> TwilioAccount:
        if tenant != "demo":
            msg = "no SMS channel"
            raise NotFound(msg)
        return ACCOUNT

    async with bench(tmp_path) as sandbox, httpx2.AsyncClient(base_url=sandbox.url, trust_env=False) as client:
        opened = {"auth_token": ACCOUNT.auth_token, "sender": ACCOUNT.sender}
        await client.put(f"/twilio/control/accounts/{ACCOUNT.account_sid}", json=opened)
        api = TwilioApi(sandbox.url, client=httpx2.AsyncClient(timeout=60, trust_env=False))
        texts = TwilioTexts(api, account_of, "https://c.example/track/{}".format, "https://c.example/webhooks/twilio")
        sid = await texts.send(a_text(), document=None)
        long = a_text(link=None, template="job_cancelled", parameters=("Ana", "Aire", "x" * 2000))
        await texts.send(long, document=None)
        with pytest.raises(SendRefused, match="no_channel"):
            await texts.send(a_text(tenant="other"), document=None)
        await client.put("/twilio/control/opted-out/+5491155550123")
        with pytest.raises(SendRefused) as refused:
            await texts.send(a_text(), document=None)
        await api.close()
        first, second = (await client.get("/twilio/control/messages")).json()["items"]
    assert first == {
        "sid": sid,
        "from": ACCOUNT.sender,
        "to": "+5491155550123",
        "body": "Hola Ana, Carlos ya salió para tu domicilio. Tocá el botón para ver por dónde viene. https://c.example/track/abc",
    }
    assert len(second["body"]) == 1600
    assert refused.value.error_code == "21610"
