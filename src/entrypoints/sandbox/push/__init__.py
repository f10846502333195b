"""Expo's push service and Firebase Cloud Messaging of our own: notes that end on a page instead of a phone.

Words: a *note* is one message to one token; a token is *live*, *gone* (nobody knows it), or *fades*: it is taken, and the receipt says
that it is gone. A *fault* is an error that somebody ordered for the requests to come.
"""

from entrypoints.sandbox.push.routes import push_routes
from entrypoints.sandbox.push.state import PushState

__all__ = ["PushState", "push_routes"]
