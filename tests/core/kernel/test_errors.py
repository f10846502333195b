"""Errors by what the caller can do about them: stable codes, plain data."""

from __future__ import annotations

import importlib
import json
import pkgutil
from typing import Final

import pytest

import core
from core.invoicing import Observation, Refused
from core.kernel.errors import (
    AlreadySettled,
    Conflict,
    CuadrillaError,
    Denied,
    Invalid,
    Limited,
    NotFound,
    StaleVersion,
    Unavailable,
)

CODES: Final = {
    "afip.answer_lost": Unavailable,
    "afip.refused": Invalid,
    "already_settled": Conflict,
    "batch.not_found": NotFound,
    "code_doubtful": Unavailable,
    "code_refused": CuadrillaError,
    "conflict": Conflict,
    "credential.not_found": NotFound,
    "customer.identity_taken": Conflict,
    "customer.not_found": NotFound,
    "delivery.answer_lost": Unavailable,
    "delivery.asked_to_wait": Unavailable,
    "delivery.not_found": NotFound,
    "delivery.refused": CuadrillaError,
    "denied": Denied,
    "device.not_found": NotFound,
    "different_currencies": Conflict,
    "idempotency.answer_lost": Conflict,
    "idempotency.claim_lost": Conflict,
    "idempotency.key_reused": Invalid,
    "identity.login_taken": Conflict,
    "identity.second_factor": Conflict,
    "illegal_move": Conflict,
    "invalid": Invalid,
    "invoice.no_tax_profile": Conflict,
    "invoice.not_acceptable": Invalid,
    "invoice.not_found": NotFound,
    "invoice.not_issued": Conflict,
    "invoice.series_busy": Unavailable,
    "job.closed": Conflict,
    "job.not_a_picture": Invalid,
    "job.not_found": NotFound,
    "job.unknown_person": Invalid,
    "limited": Limited,
    "not_allowed": Denied,
    "not_found": NotFound,
    "notification.variables": Invalid,
    "second_factor_needed": Denied,
    "service_token.not_found": NotFound,
    "session.not_found": NotFound,
    "stale_version": Conflict,
    "sync.conflict": Conflict,
    "sync.foreign_cursor": Conflict,
    "sync.gone": NotFound,
    "sync.lines_closed": Conflict,
    "sync.not_for_phones": Invalid,
    "sync.operation_reused": Invalid,
    "sync.operation_taken": Conflict,
    "sync.too_many_operations": Invalid,
    "too_often": Limited,
    "tracking.link_expired": NotFound,
    "tracking.not_a_position": Invalid,
    "tracking.not_found": NotFound,
    "tracking.other_phone": Conflict,
    "tracking.too_many_fixes": Invalid,
    "unauthenticated": Denied,
    "unavailable": Unavailable,
    "user.above_oneself": Denied,
    "user.last_owner": Conflict,
    "user.not_found": NotFound,
    "user.phone_taken": Conflict,
    "wrong_code": Denied,
    "wrong_credentials": Denied,
    "wrong_second_factor": Denied,
}
"""Programs match on these: a code is added, never changed."""


def all_errors(kind: type[CuadrillaError] = CuadrillaError) -> list[type[CuadrillaError]]:
    for module in pkgutil.walk_packages(core.__path__, "core."):
        importlib.import_module(module.name)
    found = []
    for each in kind.__subclasses__():
        if each.__module__.startswith("core."):
            found += [each, *all_errors(each)]
    return found


def test_every_error_has_its_own_stable_code_and_kind() -> None:
    errors = all_errors()
    assert {error.code for error in errors} == set(CODES)
    assert len({error.code for error in errors}) == len(set(errors))
    for error in errors:
        assert issubclass(error, CODES[error.code]), error


@pytest.mark.parametrize(
    ("error", "details"),
    [
        (CuadrillaError("x"), {}),
        (Invalid("x"), {}),
        (Invalid("x", field="name"), {"field": "name"}),
        (Limited("x", retry_after=2.5), {"retryAfter": 2.5}),
        (StaleVersion("job", "job_1", version=3), {"kind": "job", "id": "job_1", "version": 3}),
        (AlreadySettled("x"), {}),
        (Refused([Observation(7, "Fecha")]), {"afip": [{"code": 7, "message": "Fecha"}]}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_keeps_its_data_apart_from_its_words(error: CuadrillaError, details: dict[str, object]) -> None:
    assert error.details() == details
    assert json.loads(json.dumps(error.details())) == details


def test_a_stale_version_says_which_was_wanted() -> None:
    words = "job job_1 is no longer at version 3; read it again"
    assert str(StaleVersion("job", "job_1", version=3)) == words


def test_a_refusal_repeats_the_authority_s_own_words() -> None:
    refusal = Refused([Observation(10016, "Fecha"), Observation(10015, "Documento")])
    assert str(refusal) == "AFIP refused the invoice: 10016: Fecha; 10015: Documento"
