"""Which IP addresses are on the public internet: where requests to places that others chose may go."""

import ipaddress
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# Never reached, not even where private addresses are allowed. `is_global` of Python 3.11 takes
# some of these for public, and clouds serve their machines' credentials from others.
_NEVER = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "100.100.100.200/32",  # metadata, Alibaba
        "168.63.129.16/32",  # Azure's host
        "169.254.0.0/16",  # link-local, and metadata
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "::/128",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fd00:ec2::/32",  # metadata, Amazon
        "fd20:ce::/32",  # metadata, Google
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
_PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
# IPv6 addresses that lead to an IPv4 address in their last 32 bits.
_CARRIERS = tuple(
    ipaddress.IPv6Network(network)
    for network in ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "::/96")
)
_LOOPBACK = ipaddress.IPv6Address("::1")
_SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")


def is_reachable(address: Address, *, allow_loopback: bool = False, allow_private: bool = False) -> bool:
    """Whether requests may go there: to the public internet, and to what is allowed besides.

    Link-local and metadata addresses are never allowed.
    """
    address = _led_to(address)
    if address.is_loopback:
        return allow_loopback
    if any(address in network for network in _NEVER):
        return False
    if any(address in network for network in _PRIVATE):
        return allow_private
    return address.is_global


def _led_to(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, or the address itself."""
    if isinstance(address, ipaddress.IPv4Address) or address == _LOOPBACK:
        return address
    number = int(address)
    if address in _SIX_TO_FOUR:
        return ipaddress.IPv4Address(number >> 80 & 0xFFFFFFFF)
    if any(address in carrier for carrier in _CARRIERS):
        return ipaddress.IPv4Address(number & 0xFFFFFFFF)
    return address
