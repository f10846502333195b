"""The soak of invoicing (`make soak-invoices`) in small: real processes, `kill -9`, an AFIP that fails in every way."""

from __future__ import annotations

from pathlib import Path

from tests.soak.invoices import Plan, soak

SMALL = Plan(vouchers=500, workers=6, series=3, kills=10, fault=0.03, seed=4, answer_within=1.5)
"""Fewer faults than `make soak-invoices` has: a lost answer holds its series until it is settled, and the suite has no time for that."""


async def test_killed_workers_and_a_failing_afip_leave_one_voucher_for_each_job(
    postgres_url: str, tmp_path: Path
) -> None:
    report = await soak(SMALL, database_url=postgres_url, folder=tmp_path)
    assert report.violations == []
    assert (report.issued, report.kills) == (SMALL.vouchers, SMALL.kills)
    assert sum(report.faults.values()) > SMALL.vouchers / 5
