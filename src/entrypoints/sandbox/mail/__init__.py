"""A mail server of our own: letters that end on a page instead of a mailbox.

Words: an *account* may log in and send as its own address; a *reply* is what somebody ordered for a recipient, as SMTP's numbers say it.
"""

from entrypoints.sandbox.mail.routes import mail_routes
from entrypoints.sandbox.mail.server import mail_server
from entrypoints.sandbox.mail.state import MailState

__all__ = ["MailState", "mail_routes", "mail_server"]
