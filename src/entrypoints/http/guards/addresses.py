"""Where a request comes from."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from attrs import field, frozen
from starlette.types import Scope

NOWHERE: Final = "unknown"
_HOPS: Final = 20
"""More proxies stand before nobody; the rest of a longer list was invented."""


def _networks(given: Iterable[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(each) for each in given)


@frozen
class Addresses:
    """Tells who is at the other end; a forwarded address counts only as far as trusted proxies vouch for it."""

    _trusted: tuple[IPv4Network | IPv6Network, ...] = field(converter=_networks)

    def client(self, scope: Scope) -> str:
        """Return the client's address, of IPv6 its /64 (one subscriber has as many), or `unknown`.

        Each proxy appends who spoke to it, so the list is read from its end, for as long as it names trusted proxies.
        """
        peer = scope.get("client")
        address = _address(peer[0]) if peer else None
        if address is None:
            return NOWHERE
        if self._trusted and self._trusts(address):
            for hop in _forwarded(scope):
                named = _address(hop)
                if named is None:
                    break
                address = named
                if not self._trusts(address):
                    break
        return str(IPv6Network((address, 64), strict=False)) if isinstance(address, IPv6Address) else str(address)

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)


def _forwarded(scope: Scope) -> Iterable[str]:
    """Return whom the proxies named, the nearest first."""
    lines = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    hops: list[str] = b",".join(lines).decode("latin-1").rsplit(",", _HOPS)
    return reversed(hops[-_HOPS:])


def _address(text: str) -> IPv4Address | IPv6Address | None:
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
