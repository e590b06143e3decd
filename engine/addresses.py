"""Which network addresses a host has and which of them are public: looked up once, and then connected to as they are.

Knows no HTTP.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable

from engine.errors import BadInput, TimedOut, Unreachable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], list[str]]
# The addresses of a host and port that may be connected to, found within so many seconds; raises EngineError
Reach = Callable[[str, int, float], list[str]]

# Public to Python, yet ways into a network of ours: 6to4 relays, NAT64 of a provider's own, old site-local addresses
_NEVER = tuple(map(ipaddress.ip_network, ("192.88.99.0/24", "64:ff9b:1::/48", "fec0::/10", "100.64.0.0/10")))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(text: str) -> bool:
    """Whether the address is one of the public network; one that carries another inside is as public as that."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if any(address in network for network in _NEVER if network.version == address.version):
        return False
    if isinstance(address, ipaddress.IPv6Address) and (inside := _inside(address)):
        return all(is_public(str(one)) for one in inside)
    private = address.is_private or address.is_loopback or address.is_link_local or address.is_reserved
    return address.is_global and not (private or address.is_multicast or address.is_unspecified)


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, in the order to try them. Raises OSError."""
    return list(dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def checked(host: str, port: int, seconds: float, allowed: frozenset[str], resolver: Resolver = resolve) -> list[str]:
    """The host's addresses, all of them public; who connects must connect to these, for a name may change its mind.

    Raises BadInput (`reason` private_address), Unreachable, TimedOut. A name with public and private addresses is
    refused as a whole: nobody has one by accident.
    """
    addresses = _in_time(host, port, seconds, resolver)
    if not addresses:
        raise Unreachable(f"{host} has no address", address=host)
    if f"{host}:{port}" in allowed:
        return addresses
    if hidden := [one for one in addresses if not is_public(one)]:
        text = f"{host} is {hidden[0]}, which is no public address"
        raise BadInput(text, what="url", reason="private_address", host=host)
    return addresses


def _in_time(host: str, port: int, seconds: float, resolver: Resolver) -> list[str]:
    """What the resolver says, which knows no time limit of its own."""
    answer: list[list[str] | OSError] = []

    def ask() -> None:
        try:
            answer.append(resolver(host, port))
        except (OSError, UnicodeError) as error:  # UnicodeError: a label of more than 63 letters
            answer.append(error if isinstance(error, OSError) else OSError(str(error)))

    asking = threading.Thread(target=ask, name="resolve", daemon=True)
    asking.start()
    asking.join(max(0.0, seconds))
    if not answer:
        raise TimedOut(f"{host}: no answer from the name server", seconds=seconds)
    if isinstance(answer[0], OSError):
        raise Unreachable(f"{host}: {answer[0].strerror or answer[0]}", address=host)
    return answer[0]


def _inside(address: ipaddress.IPv6Address) -> tuple[Address, ...]:
    """The IPv4 addresses that this one leads to."""
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in _NAT64 or (int(address) >> 32 == 0 and int(address) > 1):  # the second: old "compatible" addresses
        return (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)
    return ()
