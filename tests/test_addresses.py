"""Which addresses are public, and what a host must have to be connected to."""

from __future__ import annotations

import pytest

from engine.addresses import checked, is_public
from engine.errors import BadInput

PRIVATE = (
    "127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 255.255.255.255 224.0.0.1 192.0.2.1 "
    "198.18.0.1 ::1 :: fe80::1 fe80::1%eth0 fc00::1 fd00:ec2::254 ff02::1 fec0::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 "
    "64:ff9b::7f00:1 64:ff9b:1::1 2002:7f00:1:: 2002:a00:1:: ::127.0.0.1 2001:0:4136:e378:8000:63bf:3fff:fdd2 "
    "2001:db8::1 nonsense"
)
PUBLIC = "8.8.8.8 1.1.1.1 93.184.216.34 2606:4700:4700::1111 ::ffff:8.8.8.8"


@pytest.mark.parametrize("address", PRIVATE.split())
def test_private_addresses(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC.split())
def test_public_addresses(address: str) -> None:
    assert is_public(address)


def test_a_private_host_is_refused_unless_it_is_allowed_by_name_and_port() -> None:
    assert checked("127.0.0.1", 80, 1.0, frozenset({"127.0.0.1:80"})) == ["127.0.0.1"]
    with pytest.raises(BadInput, match="no public address"):
        checked("127.0.0.1", 81, 1.0, frozenset({"127.0.0.1:80"}))
