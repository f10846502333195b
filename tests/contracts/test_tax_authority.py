"""What every tax authority promises: the one in memory, and AFIP's as the sandbox speaks it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from attrs import define, evolve, field

from adapters.memory.tax_authority import MemoryTaxAuthority
from core.invoicing import AnswerLost, Refused
from core.invoicing.ports import TaxAuthority
from core.kernel.errors import Unavailable
from core.kernel.money import Line
from tests.adapters.afip_bench import COMPANY, an_invoice, bench

pytestmark = pytest.mark.anyio
OTHER_LINES = (Line(description="x", quantity=Decimal(1), unit_price=Decimal(7)),)


@define
class Case:
    """An authority, and how to make it fail once."""

    authority: TaxAuthority
    lose_next_answer: Callable[[], Awaitable[None]]
    refuse_next: Callable[[], Awaitable[None]]


@define
class Interruptions:
    """Raises what it was told at the step it was told, once."""

    wanted: dict[str, Exception] = field(factory=dict)

    async def __call__(self, step: str) -> None:
        if step in self.wanted:
            raise self.wanted.pop(step)


@contextlib.asynccontextmanager
async def in_memory(_: Path) -> AsyncIterator[Case]:
    interruptions = Interruptions()

    async def lose() -> None:
        interruptions.wanted["tax_authority.authorise:after"] = AnswerLost("no answer")

    async def refuse() -> None:
        interruptions.wanted["tax_authority.authorise:before"] = Refused([])

    yield Case(MemoryTaxAuthority(interruptions), lose, refuse)


@contextlib.asynccontextmanager
async def at_the_sandbox(folder: Path) -> AsyncIterator[Case]:
    async with bench(folder) as running:

        async def lose() -> None:
            await running.fault("cut", after_effect=True)

        async def refuse() -> None:
            await running.fault("refuse", code="10048")

        yield Case(running.authority(), lose, refuse)


@pytest.fixture(params=[in_memory, at_the_sandbox], ids=["memory", "afip"])
async def case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Case]:
    async with request.param(tmp_path) as opened:
        yield opened


async def test_a_series_begins_at_zero_and_counts_what_was_authorised(case: Case) -> None:
    series = an_invoice().series
    assert await case.authority.last_authorised("t", series) == 0
    for number in (1, 2, 3):
        await case.authority.authorise(an_invoice(number))
        assert await case.authority.last_authorised("t", series) == number


async def test_series_are_numbered_apart(case: Case) -> None:
    await case.authority.authorise(an_invoice(1))
    for other in (an_invoice(1, point_of_sale=2), an_invoice(1, receiver=COMPANY)):
        assert await case.authority.last_authorised("t", other.series) == 0
        await case.authority.authorise(other)


async def test_a_yes_is_a_cae_of_fourteen_digits_with_its_last_day(case: Case) -> None:
    first = await case.authority.authorise(an_invoice(1))
    second = await case.authority.authorise(an_invoice(2))
    assert re.fullmatch(r"[0-9]{14}", first.cae)
    assert first.cae != second.cae
    assert first.expires_on == date(2026, 11, 30)


@pytest.mark.parametrize("number", [1, 3])
async def test_a_number_that_is_not_the_next_is_refused_and_changes_nothing(case: Case, number: int) -> None:
    await case.authority.authorise(an_invoice(1))
    with pytest.raises(Refused) as refusal:
        await case.authority.authorise(an_invoice(number))
    assert 10016 in [each.code for each in refusal.value.observations]
    assert await case.authority.last_authorised("t", an_invoice().series) == 1


async def test_a_date_before_the_last_one_is_refused(case: Case) -> None:
    await case.authority.authorise(an_invoice(1))
    with pytest.raises(Refused) as refusal:
        await case.authority.authorise(an_invoice(2, issued_on=date(2026, 11, 19)))
    assert 10016 in [each.code for each in refusal.value.observations]


async def test_a_refused_voucher_consumes_no_number(case: Case) -> None:
    await case.refuse_next()
    with pytest.raises(Refused):
        await case.authority.authorise(an_invoice(1))
    assert await case.authority.last_authorised("t", an_invoice().series) == 0
    assert await case.authority.find(an_invoice(1)) is None
    await case.authority.authorise(an_invoice(1))


async def test_what_was_never_authorised_is_not_found(case: Case) -> None:
    assert await case.authority.find(an_invoice(1)) is None
    await case.authority.authorise(an_invoice(1))
    assert await case.authority.find(an_invoice(2)) is None
    assert await case.authority.find(an_invoice(1, point_of_sale=2)) is None


async def test_what_is_found_is_ours_if_receiver_total_and_date_are(case: Case) -> None:
    given = await case.authority.authorise(an_invoice(1, receiver=COMPANY))
    same = await case.authority.find(an_invoice(1, receiver=COMPANY))
    assert same is not None
    assert (same.same, same.authorisation.cae, same.authorisation.expires_on) == (True, given.cae, given.expires_on)
    for other in (
        an_invoice(1, receiver=evolve(COMPANY, document_number="33693450239")),
        an_invoice(1, receiver=COMPANY, lines=OTHER_LINES),
        an_invoice(1, receiver=COMPANY, issued_on=date(2026, 11, 21)),
    ):
        found = await case.authority.find(other)
        assert found is not None
        assert (found.same, found.authorisation.cae) == (False, given.cae)


async def test_a_lost_answer_says_so_and_the_voucher_is_found(case: Case) -> None:
    await case.lose_next_answer()
    with pytest.raises(AnswerLost):
        await case.authority.authorise(an_invoice(1))
    assert await case.authority.last_authorised("t", an_invoice().series) == 1
    found = await case.authority.find(an_invoice(1))
    assert found is not None
    assert found.same
    assert issubclass(AnswerLost, Unavailable)
