"""Letters: to the sandbox's mail server over real SMTP, and to servers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from attrs import define, evolve

from adapters.email import MailAccount, SmtpLetters
from core.kernel.errors import NotFound, Unavailable
from core.notifications import AnswerLost, Delivery, Document, Recipient, SendRefused
from tests.contracts.samples import NOW
from tests.entrypoints.sandbox.whatsapp_bench import bench

ACCOUNT: Final = MailAccount(username="demo", password="secret", sender="Climatización Ñandú <avisos@demo.example>")
PDF: Final = Document(
    filename="Factura Ñ 1.pdf", content_type="application/pdf", content=b"%PDF-1.7 " + b"\n.\nx" * 500
)


def a_letter(**wanted: Any) -> Delivery:
    known: dict[str, Any] = {
        "id_": "dlv_1",
        "tenant": "demo",
        "key": "k",
        "template": "invoice_ready",
        "recipient": Recipient(
            id="cust_1", kind="customer", name="Ana Ruiz", address="+5491155550123", email="ana@example.com"
        ),
        "parameters": ("Ana", "00001-00000042", "$ 24.200,00", "70000000000001"),
        "link": None,
        "attachment": None,
        "job_id": None,
        "at": NOW,
        "channel": "email",
    }
    return Delivery.queued(**{**known, **wanted})


def letters_to(url: str, account: MailAccount = ACCOUNT, *, seconds: float = 30.0, tenant: str = "demo") -> SmtpLetters:
    async def account_of(whose: str) -> MailAccount:
        if whose != tenant:
            msg = "no mail account"
            raise NotFound(msg)
        return account

    return SmtpLetters(url, account_of, "https://c.example/track/{}".format, lambda: NOW, seconds)


@define
class Post:
    """The sandbox's mail server, and what it took."""

    url: str
    client: httpx2.AsyncClient

    async def letters(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.client.get("/mail/control/letters")).json()["items"]
        return found

    async def order(self, **reply: Any) -> None:
        answer = await self.client.post("/mail/control/replies", json=reply)
        assert answer.status_code == 201, answer.text


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    async with bench(tmp_path) as sandbox, httpx2.AsyncClient(base_url=sandbox.url, trust_env=False) as client:
        opened = {"password": ACCOUNT.password, "address": "avisos@demo.example"}
        url = (await client.put("/mail/control/accounts/demo", json=opened)).json()["url"]
        yield Post(url, client)


async def test_a_letter_carries_its_document(post: Post) -> None:
    letters = letters_to(post.url)
    sent = await letters.send(a_letter(), document=PDF)
    await letters.ping()
    (letter,) = await post.letters()
    assert letter == {
        "from": '"Climatización Ñandú" <avisos@demo.example>'
        if '"' in letter["from"]
        else "Climatización Ñandú <avisos@demo.example>",
        "to": "Ana Ruiz <ana@example.com>",
        "sender": "avisos@demo.example",
        "recipient": "ana@example.com",
        "subject": "Tu comprobante",
        "messageId": sent,
        "text": "Hola Ana, te enviamos la factura 00001-00000042 por $ 24.200,00. CAE 70000000000001.",
        "attachments": [{"filename": "Factura Ñ 1.pdf", "type": "application/pdf", "bytes": len(PDF.content)}],
    }
    assert sent == "<dlv_1@demo.example>"
    page = await post.client.get("/mail", headers={"accept-language": "en"})
    assert "Tu comprobante" in page.text


async def test_a_letter_with_a_link_is_written_in_the_recipient_s_language(post: Post) -> None:
    letter = a_letter(template="tracking_link_customer", parameters=("Ana", "Carlos"), link="abc", language="en")
    await letters_to(post.url).send(letter, document=None)
    (shown,) = await post.letters()
    assert shown["subject"] == "On the way"
    assert shown["text"].endswith("https://c.example/track/abc")


async def test_a_name_cannot_begin_another_header(post: Post) -> None:
    name = "Ana\r\nBcc: all@example.com\x00, Ruiz"
    letter = a_letter(recipient=evolve(a_letter().recipient, name=name))
    await letters_to(post.url).send(letter, document=evolve(PDF, filename="a\r\nX: 1.pdf"))
    (shown,) = await post.letters()
    assert shown["recipient"] == "ana@example.com"
    assert shown["attachments"][0]["filename"] == "a X: 1.pdf"


@pytest.mark.parametrize(
    ("reply", "kind", "said"),
    [
        ({"step": "rcpt", "code": 550, "text": "5.1.1 no such mailbox"}, SendRefused, "550: 5.1.1 no such mailbox"),
        ({"step": "rcpt", "code": 452, "text": "4.2.2 mailbox full"}, Unavailable, "452"),
        ({"step": "rcpt", "code": 552, "text": "5.2.2 mailbox full"}, SendRefused, "552"),
        ({"step": "rcpt", "code": 451, "text": "4.7.1 greylisted"}, Unavailable, "451"),
        ({"step": "mail", "code": 421, "text": "4.7.0 too busy"}, Unavailable, "421"),
        ({"step": "mail", "code": 553, "text": "5.1.8 sender"}, SendRefused, "553"),
        ({"step": "data", "code": 554, "text": "5.6.0 spam"}, SendRefused, "554"),
        ({"step": "data", "code": 451, "text": "4.3.0 disk"}, Unavailable, "451"),
        ({"step": "data", "cut": True}, AnswerLost, "no answer"),
    ],
)
async def test_a_five_is_for_good_and_a_four_for_now(
    post: Post, reply: dict[str, Any], kind: type[Exception], said: str
) -> None:
    await post.order(**reply)
    letters = letters_to(post.url)
    with pytest.raises((SendRefused, Unavailable)) as failure:
        await letters.send(a_letter(), document=PDF)
    assert type(failure.value) is kind
    assert said in str(failure.value)
    assert len(await post.letters()) == (1 if kind is AnswerLost else 0)
    assert await letters.send(a_letter(), document=PDF)


@pytest.mark.parametrize(
    ("account", "kind", "said"),
    [
        (evolve(ACCOUNT, password="wrong"), Unavailable, "credentials (535)"),
        (evolve(ACCOUNT, username="nobody"), Unavailable, "credentials (535)"),
        (evolve(ACCOUNT, sender="else@demo.example"), SendRefused, "553"),
    ],
)
async def test_an_account_that_is_wrong_sends_nothing(
    post: Post, account: MailAccount, kind: type[Exception], said: str
) -> None:
    with pytest.raises((SendRefused, Unavailable)) as failure:
        await letters_to(post.url, account).send(a_letter(), document=None)
    assert type(failure.value) is kind
    assert said in str(failure.value)
    assert "secret" not in str(failure.value)
    assert await post.letters() == []


async def test_who_has_no_account_or_no_address_gets_no_letter(post: Post) -> None:
    for letter, code in (
        (a_letter(tenant="other"), "no_channel"),
        (a_letter(recipient=evolve(a_letter().recipient, email=None)), "no_address"),
    ):
        with pytest.raises(SendRefused) as refused:
            await letters_to(post.url).send(letter, document=None)
        assert refused.value.error_code == code


async def test_a_server_that_is_away_took_nothing(nowhere: str) -> None:
    letters = letters_to(nowhere.replace("http", "smtp"))
    with pytest.raises(Unavailable) as failure:
        await letters.send(a_letter(), document=None)
    assert type(failure.value) is Unavailable
    with pytest.raises(Unavailable):
        await letters.ping()


@contextlib.asynccontextmanager
async def a_server(talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> AsyncIterator[str]:
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_server_that_says_nothing_is_waited_for_no_longer_than_told() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with a_server(silent) as where:
        with pytest.raises(Unavailable):
            await letters_to(f"smtp://{where}", seconds=0.3).send(a_letter(), document=None)
        with pytest.raises(Unavailable):
            await letters_to(f"smtps://{where}", seconds=0.3).send(a_letter(), document=None)
