"""Letters over SMTP."""

from adapters.email.smtp import MailAccount, SmtpLetters

__all__ = ["MailAccount", "SmtpLetters"]
