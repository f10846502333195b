"""Each code that the sandbox AFIP knows, provoked by the smallest voucher; and what always holds for those that it takes."""

from __future__ import annotations

import base64
import re
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from adapters.afip import AfipCredentials
from adapters.afip.tickets import sign_request
from entrypoints.sandbox.afip import AfipState, wsaa, wsfe
from entrypoints.sandbox.afip.orders import issuer_order, rules_order, taxpayer_order
from entrypoints.sandbox.afip.rules import near
from entrypoints.sandbox.afip.state import Issuer, Point, Rules, Voucher
from entrypoints.sandbox.afip.tables import NOTES, RATES
from tests.entrypoints.sandbox.afip_refusals import (
    GOOD,
    ISSUER,
    ORIGINAL,
    PROVOCATIONS,
    REGISTER,
    TODAY,
    Provocation,
    detail,
)


@define
class Desk:
    """The sandbox without its HTTP: asked by trees as they come out of an envelope."""

    state: AfipState
    credentials: AfipCredentials
    point: int = 1
    _auth: dict[date, dict[str, Any]] = field(factory=dict)

    def ask(self, operation: str, *, today: date = TODAY, **request: Any) -> dict[str, Any]:
        at = datetime(today.year, today.month, today.day, 15, tzinfo=UTC)
        answer = wsfe.answer(self.state, operation, {"Auth": self.auth(today, at), **request}, at=at)
        assert answer is not None
        return answer

    def auth(self, today: date, at: datetime) -> dict[str, Any]:
        if today not in self._auth:
            ticket = etree.fromstring(wsaa.login(self.state, sign_request(self.credentials, at=at), at=at).encode())
            token, sign = (ticket.findtext(f"credentials/{name}") for name in ("token", "sign"))
            self._auth[today] = {"Token": token, "Sign": sign, "Cuit": str(ISSUER)}
        return self._auth[today]

    def request(
        self, type_: int, *details: Mapping[str, Any], today: date = TODAY, **head: int
    ) -> tuple[dict[str, Any], dict[int, bool]]:
        """Return the answer, and every code in it with whether it stands in `Errors`."""
        wanted = {
            "FeCabReq": {"CantReg": len(details), "PtoVta": self.point, "CbteTipo": type_, **head},
            "FeDetReq": {"FECAEDetRequest": [_written(each) for each in details]},
        }
        answer = self.ask("FECAESolicitar", today=today, FeCAEReq=wanted)
        results = (answer.get("FeDetResp") or {}).get("FECAEDetResponse", [])
        beside = [each for result in results for each in (result["Observaciones"] or {}).get("Obs", [])]
        errors = (answer.get("Errors") or {}).get("Err", [])
        return answer, {each["Code"]: False for each in beside} | {each["Code"]: True for each in errors}


def _written(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _written(each) for name, each in value.items()}
    return [_written(each) for each in value] if isinstance(value, list) else str(value)


@pytest.fixture(scope="module")
def only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    state = AfipState(tmp_path_factory.mktemp("afip") / "afip.db")
    at = datetime(2026, 11, 20, tzinfo=UTC)
    issued = state.issue_certificate(cuit=str(ISSUER), alias="rules", points=[1], at=at)
    for cuit, facts in REGISTER.items():
        state.register(taxpayer_order({"cuit": cuit, **facts}))
    state.set_point(ISSUER, Point(number=99_001, blocked=True))
    state.set_point(ISSUER, Point(number=99_002, kind="other"))
    desk = Desk(state, AfipCredentials(**issued))
    answer, codes = desk.request(ORIGINAL["Tipo"], detail(CbteFch="20261115"))
    assert (answer["FeCabResp"]["Resultado"], codes) == ("A", {})
    yield desk
    state.close()


@pytest.fixture
def desk(only: Desk) -> Desk:
    """Give a point of sale that nobody used, an issuer of whom nothing is known, and the rules as they come."""
    only.point += 1
    only.state.set_point(ISSUER, Point(number=only.point))
    only.state.set_issuer(ISSUER, Issuer())
    only.state.set_rules(Rules())
    return only


@pytest.mark.parametrize("case", PROVOCATIONS, ids=lambda case: f"{case.code}-{case.name}")
def test_each_code_is_provoked_by_its_smallest_voucher(desk: Desk, case: Provocation) -> None:
    if case.issuer:
        _, issuer, _ = issuer_order({"cuit": str(ISSUER), **case.issuer}, known=desk.state.issuer)
        desk.state.set_issuer(ISSUER, issuer)
    if case.rules:
        desk.state.set_rules(rules_order(case.rules, now=desk.state.rules))
    if case.after:
        assert desk.request(case.type_, *case.after, today=case.today)[0]["FeCabResp"]["Resultado"] == "A"
    count = desk.state.count()
    details = [case.detail] * (2 if case.code == 10003 else 1)
    answer, codes = desk.request(case.type_, *details, today=case.today, **case.head)
    assert case.code in codes, answer
    results = (answer.get("FeDetResp") or {}).get("FECAEDetResponse", [])
    if results:
        assert codes[case.code] == case.in_errors
        assert {(each["Resultado"], each["CAE"] == "") for each in results} == {
            ("R", True) if case.refused else ("A", False)
        }
    else:
        assert case.head
        assert codes[case.code]
    assert desk.state.count() == count + (not case.refused)


@pytest.mark.parametrize(("name", "type_", "sent"), GOOD, ids=[name for name, *_ in GOOD])
def test_a_good_voucher_is_taken_without_a_word(desk: Desk, name: str, type_: int, sent: Mapping[str, Any]) -> None:
    answer, codes = desk.request(type_, sent)
    assert (answer["FeCabResp"]["Resultado"], codes) == ("A", {}), name
    (result,) = answer["FeDetResp"]["FECAEDetResponse"]
    assert (len(result["CAE"]), result["CAE"].isdigit()) == (14, True)
    last = desk.ask("FECompUltimoAutorizado", PtoVta=str(desk.point), CbteTipo=str(type_))
    assert last["CbteNro"] == sent["CbteHasta"]


def test_the_table_covers_the_codes_that_the_rules_name() -> None:
    source = Path(wsfe.__file__).with_name("rules.py").read_text()
    named = {int(each) for each in re.findall(r"\b1[05]\d{3}\b", source)} - {10_000_000}
    assert named - {each.code for each in PROVOCATIONS} == set()


def test_the_rate_left_out_is_that_of_afip(desk: Desk) -> None:
    desk.request(6, detail(MonId="DOL", MonCotiz=None, CanMisMonExt="S"))
    asked = {"CbteTipo": "6", "CbteNro": "1", "PtoVta": str(desk.point)}
    found = desk.ask("FECompConsultar", FeCompConsReq=asked)["ResultGet"]
    assert (found["MonId"], found["MonCotiz"]) == ("DOL", "1480.5")


def test_the_threshold_is_that_of_the_vouchers_day(desk: Desk) -> None:
    desk.state.set_rules(evolve(Rules(), final_consumer={"2025-05-29": "10000000", "2026-11-20": "100"}))
    nobody = {"DocTipo": 99, "DocNro": 0}
    assert set(desk.request(6, detail(**nobody))[1]) == {10015}
    assert desk.request(6, detail(**nobody, CbteFch="20261119"))[1] == {}


def test_a_range_is_found_by_each_of_its_numbers_and_the_next_one_follows_it(desk: Desk) -> None:
    desk.request(6, detail(DocTipo=99, DocNro=0, CbteHasta=3))
    for number in ("1", "2", "3"):
        asked = {"CbteTipo": "6", "CbteNro": number, "PtoVta": str(desk.point)}
        found = desk.ask("FECompConsultar", FeCompConsReq=asked)["ResultGet"]
        assert (found["CbteDesde"], found["CbteHasta"]) == (1, 3)
    assert set(desk.request(6, detail(CbteDesde=3, CbteHasta=3))[1]) == {10016}
    assert desk.request(6, detail(CbteDesde=4, CbteHasta=4))[1] == {}


def test_the_first_refusal_takes_the_rest_of_a_batch_with_it(desk: Desk) -> None:
    sent = [detail(CbteDesde=number, CbteHasta=number) for number in (1, 2, 3, 4)]
    sent[2] = detail(CbteDesde=3, CbteHasta=3, ImpTotal=7)
    answer, codes = desk.request(6, *sent)
    assert [each["Resultado"] for each in answer["FeDetResp"]["FECAEDetResponse"]] == ["A", "A", "R", "R"]
    assert (answer["FeCabResp"]["Resultado"], codes) == ("P", {10048: False, 10016: False})


QUESTIONS: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("FECompConsultar", {}, 10104),
    ("FECompConsultar", {"FeCompConsReq": {"CbteTipo": "6", "CbteNro": "1"}}, 10200),
    ("FECompConsultar", {"FeCompConsReq": {"CbteTipo": "5", "CbteNro": "1", "PtoVta": "1"}}, 10201),
    ("FECompConsultar", {"FeCompConsReq": {"CbteTipo": "6", "CbteNro": "0", "PtoVta": "1"}}, 10202),
    ("FECompConsultar", {"FeCompConsReq": {"CbteTipo": "6", "CbteNro": "99999999", "PtoVta": "1"}}, 602),
    ("FECompUltimoAutorizado", {"CbteTipo": "6"}, 11000),
    ("FECompUltimoAutorizado", {"CbteTipo": "5", "PtoVta": "1"}, 11001),
    ("FECompUltimoAutorizado", {"CbteTipo": "6", "PtoVta": "99001"}, 11002),
    ("FEParamGetCotizacion", {}, 12000),
    ("FEParamGetCotizacion", {"MonId": "DOL", "FchCotiz": "2026-11-19"}, 12001),
    ("FEParamGetCotizacion", {"MonId": "DOL", "FchCotiz": "20261121"}, 12002),
    ("FEParamGetCotizacion", {"MonId": "PES"}, 602),
    ("FEParamGetCondicionIvaReceptor", {"ClaseCmp": "M"}, 10244),
    ("FEParamGetActividades", {}, 602),
)


@pytest.mark.parametrize(("operation", "request_", "code"), QUESTIONS)
def test_a_question_that_makes_no_sense_is_told_so(
    desk: Desk, operation: str, request_: dict[str, Any], code: int
) -> None:
    (error,) = desk.ask(operation, **request_)["Errors"]["Err"]
    assert error["Code"] == code


def test_the_rate_is_that_of_the_working_day_before_unless_a_day_is_named(desk: Desk) -> None:
    for today, asked, day in (
        (date(2026, 11, 20), {}, "20261119"),
        (date(2026, 11, 23), {}, "20261120"),
        (date(2026, 11, 20), {"FchCotiz": "20261111"}, "20261111"),
    ):
        found = desk.ask("FEParamGetCotizacion", today=today, MonId="DOL", **asked)["ResultGet"]
        assert found == {"MonId": "DOL", "MonCotiz": "1480.5", "FchCotiz": day}


def test_the_receivers_conditions_are_those_of_the_class(desk: Desk) -> None:
    def ids(wanted: str) -> set[int]:
        found = desk.ask("FEParamGetCondicionIvaReceptor", ClaseCmp=wanted)["ResultGet"]["CondicionIvaReceptor"]
        return {each["Id"] for each in found}

    assert ids("A") == ids("ALEY") == {1, 6, 13, 16}
    assert ids("B") == {4, 5, 7, 8, 9, 10, 15}
    assert ids("C") == ids("") == ids("A") | ids("B")
    assert ids("49") == {5}


def test_an_fce_comes_alone(desk: Desk) -> None:
    sent = detail(CbteDesde=2, CbteHasta=2)
    assert set(desk.request(201, detail(), sent)[1]) == {10003}


CENTS = st.decimals(min_value=Decimal("0.00"), max_value=Decimal("99999.99"), places=2)
SLIPS = st.sampled_from([Decimal(each) for each in ("0", "0", "0", "0.01", "-0.01", "0.02", "1", "-1")])


@st.composite
def vouchers(draw: st.DrawFn) -> tuple[int, dict[str, Any]]:
    """Draw vouchers, most of which add up and some of which nearly do."""
    type_ = draw(st.sampled_from([1, 6, 8, 11]))
    ids = draw(st.lists(st.sampled_from(sorted(RATES)), unique=True, max_size=3)) if type_ != 11 else []
    bases = [draw(CENTS) + Decimal("0.01") for _ in ids]
    rows = [
        (id_, base, (base * RATES[id_] / 100).quantize(Decimal("0.01")) + draw(SLIPS))
        for id_, base in zip(ids, bases, strict=True)
    ]
    net = sum(bases, Decimal(0)) + draw(SLIPS) if ids else draw(CENTS) * (type_ == 11)
    vat = sum((row[2] for row in rows), Decimal(0)) + draw(SLIPS) * bool(rows)
    exempt = draw(CENTS) * (type_ != 11)
    total = net + vat + exempt + draw(SLIPS)
    receiver = {"DocTipo": 80, "DocNro": 30500010912, "CondicionIVAReceptorId": 1} if type_ == 1 else {}
    period = {"PeriodoAsoc": {"FchDesde": "20261101", "FchHasta": "20261115"}} if type_ in NOTES else {}
    amounts = {"ImpNeto": net, "ImpIVA": vat, "ImpOpEx": exempt, "ImpTotal": total}
    return type_, detail(**receiver, **period, **amounts, Iva=rows)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(vouchers(), min_size=1, max_size=4))
def test_what_is_taken_reconciles_and_its_numbers_have_no_gap(
    desk: Desk, drawn: list[tuple[int, dict[str, Any]]]
) -> None:
    for type_, sent in drawn:
        series: dict[str, Any] = {"PtoVta": str(desk.point), "CbteTipo": str(type_)}
        number = desk.ask("FECompUltimoAutorizado", **series)["CbteNro"] + 1
        sent |= {"CbteDesde": number, "CbteHasta": number}
        answer, _ = desk.request(type_, sent)
        taken = answer["FeCabResp"]["Resultado"] == "A"
        assert desk.ask("FECompUltimoAutorizado", **series)["CbteNro"] == number - (not taken)
        asked = {"CbteNro": str(number), **series}
        found = desk.ask("FECompConsultar", FeCompConsReq=asked)
        if taken:
            _reconciles(found["ResultGet"])
        else:
            assert found["Errors"]["Err"][0]["Code"] == 602


def _reconciles(found: Mapping[str, Any]) -> None:
    parts = ("ImpTotConc", "ImpNeto", "ImpOpEx", "ImpTrib", "ImpIVA")
    assert near(Decimal(found["ImpTotal"]), sum((Decimal(found[name]) for name in parts), Decimal(0)))
    rows = found.get("Iva", {}).get("AlicIva", [])
    cent = Decimal("0.01")
    vat, base = (sum((Decimal(row[name]) for row in rows), Decimal(0)) for name in ("Importe", "BaseImp"))
    if rows:
        assert near(Decimal(found["ImpIVA"]), vat, times=len(rows))
        assert near(Decimal(found["ImpNeto"]), base, times=len(rows)) or found["CbteTipo"] == 8
        assert abs(vat - Decimal(found["ImpIVA"])) <= max(cent * len(rows), vat / 10_000)


def test_an_answered_voucher_is_in_the_book_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "afip.db"
    state = AfipState(path)
    state.move_clock(timedelta(days=3))
    state.set_rules(evolve(Rules(), guard_seconds=120))
    state.register(taxpayer_order({"cuit": "30500010912", "status": "inactive"}))
    kept = Voucher(
        cuit=ISSUER,
        point=1,
        type=6,
        number=1,
        cae="1" * 14,
        day="20261120",
        due="20261130",
        processed="",
        body={"a": "1"},
    )
    state.keep(kept)
    again = AfipState(path)  # the first one is as dead as after kill -9: nobody closed it
    assert again.find(ISSUER, 1, 6, 1) == evolve(kept, observed=[])
    assert (again.offset, again.rules.guard_seconds) == (timedelta(days=3), 120)
    receiver = again.taxpayer(30500010912)
    assert receiver is not None
    assert receiver.status == "inactive"
    assert base64.b64encode(again.ca_certificate.signature) == base64.b64encode(state.ca_certificate.signature)
    again.close()
    state.close()


def test_a_file_of_the_first_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "afip.db"
    old = sqlite3.connect(path)
    old.executescript(
        "create table issuers (cuit integer primary key, vat_condition text not null);"
        "create table points (cuit integer, point integer, primary key (cuit, point));"
        "create table vouchers (cuit integer, point integer, type integer, number integer, cae text not null, "
        "day text not null, due text not null, processed text not null, body text not null, "
        "primary key (cuit, point, type, number));"
        "insert into issuers values (30712345671, 'monotributo');"
        "insert into points values (30712345671, 3);"
        "insert into vouchers values (30712345671, 3, 11, 7, '12345678901234', '20261120', '20261130', '', '{}');"
    )
    old.close()
    state = AfipState(path)
    assert state.issuer(ISSUER).vat_condition == "monotributo"
    assert state.points(ISSUER) == [Point(number=3)]
    assert state.last(ISSUER, 3, 11) == (7, "20261120")
    assert state.find(ISSUER, 3, 11, 7) is not None
    state.close()
