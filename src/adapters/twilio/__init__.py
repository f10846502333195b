"""Twilio's Messages API: text messages."""

from adapters.twilio.account import TwilioAccount
from adapters.twilio.sms import TwilioSms

__all__ = ["TwilioAccount", "TwilioSms"]
