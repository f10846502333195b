"""AFIP (ARCA): access tickets from WSAA, authorisation of vouchers by WSFEv1."""

from adapters.afip.authority import AfipAuthority
from adapters.afip.tickets import AfipCredentials, Ticket, TicketStore, valid_until

__all__ = ["AfipAuthority", "AfipCredentials", "Ticket", "TicketStore", "valid_until"]
