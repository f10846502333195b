"""The player: customer, dispatcher and technician in one, and an observer who believes nothing that was not seen."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

import httpx2
from attrs import field, frozen

from entrypoints.demo.clock import SkippingClock
from entrypoints.demo.people import PATIENCE, NotObserved, Person
from entrypoints.demo.recording import Recording

_T = TypeVar("_T")

CUSTOMER: Final = "5491155550123"
PLACE: Final = {"address": "Av. Corrientes 1234", "lat": -34.603851, "lng": -58.383735}
VISIT: Final = (datetime(2026, 11, 20, 12, tzinfo=UTC), datetime(2026, 11, 20, 14, tzinfo=UTC))
LINES: Final = (
    {"description": "Mano de obra, carga de gas R410A", "quantity": "1", "unitPrice": "18500.00"},
    {"description": "Gas R410A, kg", "quantity": "1.25", "unitPrice": "9800.00", "discount": "10"},
    {"description": "Filtro", "quantity": "2", "unitPrice": "2450.50", "vatRate": "10.5"},
)
TOTAL: Final = Decimal("41140.86")
"""18500.00 + 11025.00 at 21 % and 4901.00 at 10.5 %: 34426.00 + 6200.25 + 514.61."""
ORDER: Final = (
    "message.received",
    "message.received",
    "message.received",
    "messages.aggregated",
    "request.understood",
    "job.opened",
    "job.scheduled",
    "job.en_camino",
    "tracking.opened",
    "tracking.arrived",
    "job.working",
    "tracking.closed",
    "job.completed",
    "invoice.issued",
    "job.invoiced",
)
"""What the timeline must show, in this order, whatever else it shows between."""


@frozen(kw_only=True)
class Stage:
    """Where the story is played: the product's and the sandbox's addresses, and the phones of its people."""

    api: str
    sandbox: str
    phone_number_id: str
    app_secret: str = field(repr=False)
    dispatcher_phone: str
    technician_id: str
    technician_phone: str

    def chat(self, phone: str) -> str:
        """Return the address of what the phone shows of the business."""
        return f"{self.sandbox}/whatsapp/control/chats/{self.phone_number_id}/{phone.removeprefix('+')}"

    def person(
        self,
        phone: str,
        client: httpx2.AsyncClient,
        clock: Callable[[], datetime],
        say: Callable[[str], None] = lambda _: None,
    ) -> Person:
        """Return whoever has the phone, not yet logged in; `clock` is the product's."""
        return Person(client, self.api, self.chat(phone), phone, clock, say)


@frozen(kw_only=True)
class Played:
    """What came of it."""

    job_id: str
    timeline: list[dict[str, Any]]
    pdf: bytes = field(repr=False)
    watched: list[dict[str, Any]] = field(repr=False)
    """What the customer's page showed, fix by fix."""


@frozen
class Player:
    """Plays the story; `say` is told of each step as it is observed."""

    _stage: Stage
    _recording: Recording
    _clock: SkippingClock
    _say: Callable[[str], None] = field(default=lambda _: None)

    async def play(self) -> Played:
        """Play it and return what was seen; raise `NotObserved` naming the step that did not show."""
        async with httpx2.AsyncClient(timeout=30, trust_env=False) as client:
            story = _Story(client, self._stage, self._recording, self._clock, self._say)
            return await story.play()


class _Story:
    def __init__(
        self,
        client: httpx2.AsyncClient,
        stage: Stage,
        recording: Recording,
        clock: SkippingClock,
        say: Callable[[str], None],
    ) -> None:
        self.client, self.stage, self.recording, self.clock, self.say = client, stage, recording, clock, say
        self.dispatcher = stage.person(stage.dispatcher_phone, client, clock, say)
        self.technician = stage.person(stage.technician_phone, client, clock, say)

    async def play(self) -> Played:
        await self.write()
        job_id = await self.open()
        await self.schedule(job_id)
        watched = await self.travel(job_id)
        await self.complete(job_id)
        pdf = await self.invoice(job_id)
        timeline = await self.look_back(job_id)
        return Played(job_id=job_id, timeline=timeline, pdf=pdf, watched=watched)

    async def write(self) -> None:
        """1. Three fragments arrive, signed; the second one twice."""
        for sent_at, body in self.recording.webhooks:
            self.clock.skip_to(sent_at)
            for _ in range(2 if body == self.recording.webhooks[1][1] else 1):
                signature = hmac.new(self.stage.app_secret.encode(), body, hashlib.sha256).hexdigest()
                began = time.perf_counter()
                answer = await self.client.post(
                    f"{self.stage.api}/webhooks/whatsapp",
                    content=body,
                    headers={"content-type": "application/json", "x-hub-signature-256": f"sha256={signature}"},
                )
                took = (time.perf_counter() - began) * 1000
                _must(answer.status_code == 200, f"a webhook was answered {answer.status_code}")  # noqa: PLR2004
                self.say(f"webhook stored and answered in {took:.0f} ms: {_text_of(body)!r}")
        unsigned = await self.client.post(
            f"{self.stage.api}/webhooks/whatsapp",
            content=self.recording.webhooks[0][1],
            headers={"x-hub-signature-256": "sha256=" + "0" * 64},
        )
        _must(unsigned.status_code == 401, "a webhook with a wrong signature was not refused")  # noqa: PLR2004
        self.clock.skip(timedelta(seconds=10))

    async def open(self) -> str:
        """2. One job of one text, and an acknowledgement; a dispatcher logs in and looks."""

        async def one_job() -> dict[str, Any] | None:
            jobs = (await self.get("/api/v1/jobs"))["items"]
            _must(len(jobs) < 2, f"{len(jobs)} jobs were opened by three fragments of one request")  # noqa: PLR2004
            return jobs[0] if jobs else None

        job = await self.seen("one pending job", one_job)
        expected = {
            "status": "pending",
            "request": "Hola necesito un técnico para el aire acondicionado en Av. Corrientes 1234 mañana a la mañana",
            "trade": "aire_acondicionado",
            "wantedDay": "2026-11-20",
        }
        for name, value in expected.items():
            _must(job[name] == value, f"the job's {name} is {job[name]!r}, not {value!r}")
        _must(job["location"]["address"] == "Av. Corrientes 1234", f"the job's place is {job['location']}")
        self.say(f"one text, one job: {job['title']}, {job['location']['address']}, {job['wantedDay']}")
        await self.told(CUSTOMER, "recibimos tu pedido")
        return str(job["id"])

    async def schedule(self, job_id: str) -> None:
        """3. A dispatcher gives it to a technician; both are told."""
        self.clock.skip(timedelta(minutes=20))
        starts_at, ends_at = (instant.isoformat().replace("+00:00", "Z") for instant in VISIT)
        await self.move(
            job_id,
            self.dispatcher,
            to="scheduled",
            technicianId=self.stage.technician_id,
            startsAt=starts_at,
            endsAt=ends_at,
            location=PLACE,
        )
        await self.told(self.stage.technician_phone, "Tenés un trabajo nuevo")
        await self.told(CUSTOMER, "quedó agendada")

    async def travel(self, job_id: str) -> list[dict[str, Any]]:
        """4. The technician logs in, sets out and is watched to the door."""
        self.clock.skip_to(VISIT[0] + timedelta(minutes=5))
        await self.move(job_id, self.technician, to="en_camino")
        message = await self.told(CUSTOMER, "ya salió para tu domicilio")
        found = re.search(r"/track/[A-Za-z0-9_-]{20,}", json.dumps(message))
        _must(found is not None, "the customer's message has no tracking link")
        link = self.stage.api + (found.group() if found else "")
        page = await self.client.get(link, headers={"accept": "text/html", "accept-language": "es-AR"})
        _must(page.status_code == 200 and "<html" in page.text, "the tracking page does not open")  # noqa: PLR2004
        departed = self.clock()
        watched: list[dict[str, Any]] = []
        for fix in self.recording.trace:
            self.clock.skip_to(departed + timedelta(seconds=fix.after))
            report = {"jobId": job_id, "lat": fix.lat, "lng": fix.lng, "accuracy": fix.accuracy}
            report |= {"speed": fix.speed, "heading": fix.heading, "recordedAt": _z(self.clock())}
            progress = await self.post("/api/v1/tracking/update", self.technician, report)
            shown = (await self.client.get(link, headers={"accept": "application/json"})).json()
            watched.append(shown)
            if progress["state"] != "active":
                break
        self._judge(watched)
        await self.seen("the job working", lambda: self.status_is(job_id, "working"))
        await self.told(CUSTOMER, "llegó a tu domicilio")

        async def over() -> bool:
            return bool(
                (await self.client.get(link, headers={"accept": "application/json"})).json()["state"] == "arrived"
            )

        await self.seen("the trip's end on the customer's page", over)
        return watched

    def _judge(self, watched: list[dict[str, Any]]) -> None:
        moving = [each for each in watched if each["state"] == "moving"]
        places = {(each["position"]["lat"], each["position"]["lng"]) for each in moving if each["position"]}
        intervals = [(each["eta"]["lowMinutes"], each["eta"]["highMinutes"]) for each in moving if each["eta"]]
        modes = {each["mode"] for each in moving} - {None}
        _must(len(watched) >= 60, f"only {len(watched)} positions were watched")  # noqa: PLR2004 - the issue's own number
        _must(len(places) > len(moving) * 0.9, "the marker hardly moved")
        _must(
            len(intervals) > len(moving) * 0.9 and all(low < high for low, high in intervals), "there was no honest ETA"
        )
        _must({"driving", "walking", "stationary"} <= modes, f"the movement modes seen were {modes}")
        _must(watched[-1]["state"] == "arrived", "the arrival was not noticed")
        first, last = intervals[0], intervals[-1]
        self.say(
            f"{len(watched)} positions watched; ETA from {first[0]}-{first[1]} to {last[0]}-{last[1]} min; arrived by itself"
        )

    async def complete(self, job_id: str) -> None:
        """5. Photo, signature, lines; both sides are told."""
        self.clock.skip(timedelta(minutes=50))
        for path, method, name, content in (
            (f"/api/v1/jobs/{job_id}/photos", "POST", "photo.png", self.recording.photo),
            (f"/api/v1/jobs/{job_id}/signature", "PUT", "signature.png", self.recording.signature),
        ):
            answer = await self.client.request(
                method,
                self.stage.api + path,
                headers=await self.technician.bearer(),
                files={"file": (name, content, "image/png")},
                data={"signedBy": "Ana Ruiz"},
            )
            _must(answer.is_success, f"{name} was answered {answer.status_code}: {answer.text[:200]}")
        job = await self.move(
            job_id, self.technician, to="completed", lines=list(LINES), notes="Carga de gas y filtros"
        )
        _must(Decimal(job["totals"]["total"]) == TOTAL, f"the total is {job['totals']['total']}, not {TOTAL}")
        self.say(f"completed: {job['totals']['total']} {job['totals']['currency']}")
        await self.told(CUSTOMER, "quedó terminado")
        await self.told(self.stage.technician_phone, "quedó terminado")

    async def invoice(self, job_id: str) -> bytes:
        """6. AFIP authorises; the PDF goes out."""
        invoice = await self.post("/api/v1/invoices", self.dispatcher, {"jobId": job_id})
        _must(invoice["state"] == "issued" and len(str(invoice["cae"])) == 14, f"the invoice is {invoice['state']}")  # noqa: PLR2004
        self.say(f"AFIP authorised {invoice['letter']} {invoice['printedNumber']}, CAE {invoice['cae']}")
        message = await self.told(CUSTOMER, "te enviamos la factura")
        await self.seen("the job invoiced", lambda: self.status_is(job_id, "invoiced"))
        answer = await self.client.get(self.stage.api + invoice["pdf"], headers=await self.dispatcher.bearer())
        _must(answer.is_success and answer.content.startswith(b"%PDF"), "the invoice is no PDF")
        on_the_phone = await self.client.get(self.stage.sandbox + message["media"]["link"])
        _must(on_the_phone.content == answer.content, "the customer's PDF is not the invoice's")
        return answer.content

    async def look_back(self, job_id: str) -> list[dict[str, Any]]:
        """7. The timeline shows all of it."""
        timeline: list[dict[str, Any]] = (await self.get(f"/api/v1/jobs/{job_id}/timeline"))["items"]
        kinds = iter(each["kind"] for each in timeline)
        for wanted in ORDER:
            _must(wanted in kinds, f"the timeline lacks {wanted}, or has it out of order")
        _must(all(each["actor"] for each in timeline), "an entry of the timeline names nobody")
        fragments = [each["data"]["text"] for each in timeline if each["kind"] == "message.received"]
        _must(len(fragments) == len(self.recording.webhooks), f"the timeline has {len(fragments)} messages")
        log = (await self.get("/api/v1/notifications?limit=200"))["items"]
        twice = len(log) - len({(each["template"], each["recipientId"]) for each in log})
        _must(twice == 0, f"{twice} messages were sent twice")
        self.say(f"the timeline has {len(timeline)} entries, message to CAE")
        return timeline

    async def told(self, wa_id: str, words: str) -> dict[str, Any]:
        chat = self.stage.chat(wa_id)

        async def arrived() -> dict[str, Any] | None:
            messages = (await self.client.get(chat)).json()["messages"]
            found = [each for each in messages if each["direction"] == "out" and words in str(each.get("text", ""))]
            return found[-1] if found else None

        message = await self.seen(f"a message with {words!r} on {wa_id}", arrived)
        self.say(f"on the phone {wa_id}: {str(message['text'])[:96]}")
        return message

    async def status_is(self, job_id: str, status: str) -> bool:
        return bool((await self.get(f"/api/v1/jobs/{job_id}"))["status"] == status)

    async def seen(self, what: str, look: Callable[[], Awaitable[_T | None]]) -> _T:
        until = time.monotonic() + PATIENCE
        while True:
            found = await look()
            if found:
                return found
            if time.monotonic() > until:
                msg = f"not seen within {PATIENCE:.0f} s: {what}"
                raise NotObserved(msg)
            await asyncio.sleep(0.05)

    async def move(self, job_id: str, who: Person, **wanted: Any) -> dict[str, Any]:
        return await self.post(f"/api/v1/jobs/{job_id}/transitions", who, wanted)

    async def post(self, path: str, who: Person, body: object) -> dict[str, Any]:
        return _body(await self.client.post(self.stage.api + path, json=body, headers=await who.bearer()))

    async def get(self, path: str) -> dict[str, Any]:
        return _body(await self.client.get(self.stage.api + path, headers=await self.dispatcher.bearer()))


def _must(observed: bool, otherwise: str) -> None:  # noqa: FBT001 - an assertion of the story
    if not observed:
        raise NotObserved(otherwise)


def _body(answer: httpx2.Response) -> dict[str, Any]:
    _must(
        answer.is_success,
        f"{answer.request.method} {answer.request.url.path} was answered {answer.status_code}: {answer.text[:300]}",
    )
    body: dict[str, Any] = answer.json()
    return body


def _text_of(body: bytes) -> str:
    return str(json.loads(body)["entry"][0]["changes"][0]["value"]["messages"][0]["text"]["body"])


def _z(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
