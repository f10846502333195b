"""An AFIP of our own for development, demo and tests: WSAA and WSFEv1 over SOAP, strict where AFIP is strict.

Any client may use it. It keeps the numbering in a file, is its own certificate authority, refuses with AFIP's codes, and
fails on demand. What it authorises has no fiscal validity, and it says so in each answer.
"""

from entrypoints.sandbox.afip.routes import afip_routes
from entrypoints.sandbox.afip.state import AfipState

__all__ = ["AfipState", "afip_routes"]
