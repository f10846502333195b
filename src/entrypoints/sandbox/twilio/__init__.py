"""A Twilio of our own for development, demo and tests: text messages that end on a page instead of a phone.

Words: an *account* has a sid, a token and the numbers that it may write from; a phone that has *opted out* gets nothing; a *refusal* is an
error that somebody ordered for the messages to come.
"""

from entrypoints.sandbox.twilio.routes import twilio_routes
from entrypoints.sandbox.twilio.state import TwilioState

__all__ = ["TwilioState", "twilio_routes"]
