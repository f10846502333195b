"""The desk: a page on which a newcomer plays dispatcher and technician, through the product's public API.

It knows what a person would know, an address and two log-ins, and drives a simulated van whose phone reports a position every few
seconds.
"""

from entrypoints.sandbox.desk.api import Api, Refusal
from entrypoints.sandbox.desk.drive import Drives
from entrypoints.sandbox.desk.routes import desk_routes

__all__ = ["Api", "Drives", "Refusal", "desk_routes"]
