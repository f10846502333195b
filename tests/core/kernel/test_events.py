"""Facts and the envelopes that they travel in."""

from __future__ import annotations

import attrs
import pytest

from core.jobs.events import JobOpened
from core.kernel.events import Envelope
from core.reactions import FACTS
from tests.contracts.samples import MINE, NOW

FACT = JobOpened(tenant=MINE, at=NOW, job_id="job_1", actor="user_marta", customer_id="cust_1", title="Lavarropas")


def test_an_envelope_says_what_happened_when_to_whom_and_because_of_what() -> None:
    envelope = Envelope(id="fact_2", fact=FACT, actor="user_marta", correlation="corr_1", causation="fact_1")
    assert (envelope.event_type, envelope.timestamp, envelope.tenant_id) == ("job.opened", NOW, MINE)
    assert (envelope.actor, envelope.correlation, envelope.causation) == ("user_marta", "corr_1", "fact_1")


def test_an_envelope_holds_the_facts_own_fields_and_names_people_only() -> None:
    envelope = Envelope(id="fact_2", fact=FACT, actor="user_marta", correlation="corr_1")
    assert envelope.user_id == "user_marta"
    assert dict(envelope.payload) == {
        "job_id": "job_1",
        "actor": "user_marta",
        "customer_id": "cust_1",
        "title": "Lavarropas",
        "source": None,
    }
    assert Envelope(id="fact_3", fact=FACT, actor="notify.customer", correlation="corr_1").user_id is None


def test_what_an_outside_event_set_going_has_no_cause_of_ours() -> None:
    assert Envelope(id="fact_1", fact=FACT, actor="user_marta", correlation="corr_1").causation is None


def test_a_fact_cannot_be_changed() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        FACT.title = "Heladera"  # type: ignore[misc]  # that is what is tried


def test_every_fact_is_known_by_one_stable_name() -> None:
    assert set(FACTS) == {
        "customer.changed",
        "customer.registered",
        "delivery.reported",
        "identity.code_sent",
        "identity.code_withheld",
        "identity.credential_removed",
        "identity.credential_set",
        "identity.deactivated",
        "identity.enrolled",
        "identity.logged_in",
        "identity.password_set",
        "identity.phone_changed",
        "identity.reactivated",
        "identity.recovery_code_used",
        "identity.refresh_reused",
        "identity.refused",
        "identity.registered",
        "identity.role_changed",
        "identity.service_token_made",
        "identity.service_token_revoked",
        "identity.session_revoked",
        "identity.totp_confirmed",
        "identity.totp_enrolled",
        "identity.totp_removed",
        "invoice.drafted",
        "invoice.issued",
        "invoice.refused",
        "invoice.released",
        "invoice.submitted",
        "invoice.unanswered",
        "job.cancelled",
        "job.changed",
        "job.completed",
        "job.en_camino",
        "job.invoiced",
        "job.opened",
        "job.photo_added",
        "job.scheduled",
        "job.signed",
        "job.turned_back",
        "job.unscheduled",
        "job.working",
        "messages.aggregated",
        "notification.failed",
        "notification.queued",
        "notification.sent",
        "offline.conflict",
        "request.understood",
        "tracking.arrived",
        "tracking.closed",
        "tracking.opened",
    }
    assert all(fact.name == name for name, fact in FACTS.items())
