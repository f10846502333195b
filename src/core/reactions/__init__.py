"""When X happens, Y follows: the one place that sees every context.

One module for each source of facts; `reactions_to_facts` is the whole table. The names on its left are stored with what has been settled,
so they are never renamed.
"""

from __future__ import annotations

from core.customers import events as customer_events
from core.identity import events as identity_events
from core.invoicing import events as invoice_events
from core.jobs import events as job_events
from core.kernel.events import Fact
from core.messaging import events as message_events
from core.notifications import events as notification_events
from core.offline import events as offline_events
from core.reactions.invoices import WhenAnInvoiceIsIssued
from core.reactions.jobs import WhenAJobMoves
from core.reactions.log_ins import WhenALogInEnds
from core.reactions.messages import WhenSomebodyWrites
from core.reactions.notifications import WhenANotificationIsQueued
from core.reactions.relay import Publish, Reactions, Reactor, Relay
from core.reactions.reminders import Reminder, Reminders
from core.reactions.telling import Telling
from core.reactions.tracking import WhenATripMoves
from core.tracking import events as tracking_events

FACTS: dict[str, type[Fact]] = {
    fact.name: fact
    for facts in (
        customer_events.FACTS,
        identity_events.FACTS,
        invoice_events.FACTS,
        job_events.FACTS,
        message_events.FACTS,
        notification_events.FACTS,
        offline_events.FACTS,
        tracking_events.FACTS,
    )
    for fact in facts
}
"""Every fact by its stable name."""


def reactions_to_facts(
    *,
    messages: WhenSomebodyWrites,
    jobs: WhenAJobMoves,
    trips: WhenATripMoves,
    invoices: WhenAnInvoiceIsIssued,
    notifications: WhenANotificationIsQueued,
    log_ins: WhenALogInEnds,
) -> Reactions:
    """Return which reactions follow which fact."""
    return {
        "messages.aggregated": {"messaging.understand": messages.understand},
        "request.understood": {"jobs.open": messages.open_a_job},
        "delivery.reported": {"notifications.record": messages.record_a_report},
        "job.opened": {"notify.customer": jobs.acknowledge},
        "job.scheduled": {
            "notify.technician": jobs.tell_the_technician_of_the_visit,
            "notify.customer": jobs.tell_the_customer_of_the_visit,
        },
        "job.en_camino": {"tracking.open": jobs.start_the_trip},
        "job.turned_back": {"tracking.cancel": jobs.call_off_the_trip},
        "job.working": {
            "tracking.complete": jobs.finish_the_trip,
            "notify.customer": jobs.tell_the_customer_of_the_arrival,
        },
        "job.completed": {
            "notify.customer": jobs.tell_the_customer_of_the_end,
            "notify.technician": jobs.tell_the_technician_of_the_end,
        },
        "job.cancelled": {
            "tracking.cancel": jobs.call_off_the_trip,
            "notify.customer": jobs.tell_the_customer_of_the_cancellation,
            "notify.technician": jobs.tell_the_technician_of_the_cancellation,
        },
        "tracking.opened": {"notify.customer": trips.send_the_link},
        "tracking.arrived": {"jobs.arrive": trips.start_the_work},
        "tracking.closed": {"tracking.make_known": trips.make_the_end_known},
        "invoice.issued": {
            "jobs.mark_invoiced": invoices.mark_the_job,
            "notify.customer": invoices.send_the_document,
        },
        "notification.queued": {"notifications.send": notifications.send},
        "identity.session_revoked": {
            "sessions.forget": log_ins.forget,
            "notifications.retire_devices": log_ins.retire_its_devices,
        },
    }


__all__ = [
    "FACTS",
    "Publish",
    "Reactions",
    "Reactor",
    "Relay",
    "Reminder",
    "Reminders",
    "Telling",
    "WhenAJobMoves",
    "WhenALogInEnds",
    "WhenANotificationIsQueued",
    "WhenATripMoves",
    "WhenAnInvoiceIsIssued",
    "WhenSomebodyWrites",
    "reactions_to_facts",
]
