"""What an HTTP status and its headers become, whatever a server writes into them."""

from __future__ import annotations

import pytest

from apps.api.errors import response
from engine.backends.http_errors import by_status, retry_after


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("2.5", 2.5), ("-3", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("Wed, 21 Oct 9999 07:28:00 GMT", 86400.0),
        ("1000000", 86400.0), ("soon", None), ("", None), ("inf", None), ("1e999", None), ("nan", None),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None), ("Wed, 21 Oct 2015 07:28:00 +99999999999999999999", None),
    ],
)  # fmt: skip
def test_what_a_server_says_of_waiting(told: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": told}) == seconds
    failed = by_status(429, "slow down", {"retry-after": told}, address="http://h/v1", model="m")
    assert response(failed).status_code == 429 and int(response(failed).headers["retry-after"]) >= 0
