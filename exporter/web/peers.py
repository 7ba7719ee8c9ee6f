"""Addresses of those who ask: which are of this machine itself, and which count as one."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

Address = IPv4Address | IPv6Address

# One machine commonly owns a whole /64 (RFC 4862), so counting single IPv6 addresses limits nobody.
_OF_ONE = 64


def parse_address(text: str) -> Address | None:
    """The address; an IPv4 one that came over an IPv6 socket as IPv4. None for a name."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def is_loopback(text: str | None) -> bool:
    """True for an address that only this machine itself can ask from."""
    address = parse_address(text or "")
    return address is not None and address.is_loopback


def owner(peername: Any) -> str:
    """A key for the limits per address, from a socket's `peername`: the IPv4 address, or the
    network of an IPv6 one. All peers without an address (a Unix socket) share one key."""
    if not isinstance(peername, (tuple, list)) or not peername:
        return ""
    address = parse_address(str(peername[0]))
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> _OF_ONE << _OF_ONE))
    return str(peername[0]) if address is None else str(address)
