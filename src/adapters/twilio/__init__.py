"""Twilio's Messages API: text messages, and what Twilio reports of them."""

from adapters.twilio.account import TwilioAccount
from adapters.twilio.api import TwilioApi
from adapters.twilio.sms import TwilioSms
from adapters.twilio.texts import STATUSES, TwilioTexts, is_signed

__all__ = ["STATUSES", "TwilioAccount", "TwilioApi", "TwilioSms", "TwilioTexts", "is_signed"]
