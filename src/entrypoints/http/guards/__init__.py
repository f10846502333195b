"""What stands between a request and its use case, beside who is asking: how often, from where, and whether it came before."""

from entrypoints.http.guards.addresses import Addresses
from entrypoints.http.guards.limits import EndpointRule, Limits, RateRules
from entrypoints.http.guards.once import Once, takes_key

__all__ = ["Addresses", "EndpointRule", "Limits", "Once", "RateRules", "takes_key"]
