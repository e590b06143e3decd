"""The settings of the served API, the rate limit, and what Prometheus reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.metrics import Busy, Metrics
from engine.rates import Rates
from engine.requestlog import Served
from engine.serving import PER_MINUTE, Serving, clean_origin
from engine.types import Result, Stats, Usage
from engine.values import Values
from tests.databases import fresh_store


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    with fresh_store("sqlite", tmp_path) as store:
        yield Serving(Values(store))


def test_no_site_at_first(serving: Serving) -> None:
    assert serving.origins() == () and serving.per_minute() == PER_MINUTE
    assert serving.allow(["http://LocalHost:5500/", " https://a.example:443", "null", "", "http://localhost:5500"]) == (
        "http://localhost:5500", "https://a.example", "null",
    )  # fmt: skip
    assert serving.origins() == ("http://localhost:5500", "https://a.example", "null")
    serving.limit(0)
    assert serving.per_minute() == 0
    assert serving.allow([]) == () == serving.origins()


@pytest.mark.parametrize(
    "bad", ["localhost:5500", "ftp://a", "http://", "http://a/b", "http://a?b", "http://u@a", "http://a:x", "http://é"]
)
def test_what_is_no_site(serving: Serving, bad: str) -> None:
    with pytest.raises(BadInput):
        serving.allow(["http://a", bad])
    assert serving.origins() == ()


def test_ipv6_and_any() -> None:
    assert clean_origin("http://[::1]:80") == "http://[::1]" and clean_origin("*") == "*"


@pytest.mark.parametrize("wrong", [-1, 100_001])
def test_a_rate_out_of_range(serving: Serving, wrong: int) -> None:
    with pytest.raises(BadInput):
        serving.limit(wrong)


def test_sixty_at_once_then_one_a_second() -> None:
    now = [0.0]
    rates = Rates(clock=lambda: now[0])
    assert [rates.take("a", 60) for _ in range(60)] == [0.0] * 60
    assert 0 < rates.take("a", 60) <= 1 and rates.take("b", 60) == 0
    now[0] += 1.01
    assert rates.take("a", 60) == 0 and rates.take("a", 60) > 0
    assert all(rates.take("a", 0) == 0 for _ in range(100))


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 20))
def test_never_more_than_the_bucket_and_its_refill(pauses: list[float], per_minute: int) -> None:
    now, allowed = [0.0], []
    rates = Rates(clock=lambda: now[0])
    for pause in pauses:
        now[0] += pause
        wait = rates.take("a", per_minute)
        assert 0 <= wait <= 60
        if not wait:
            allowed.append(now[0])
    for start in allowed:
        assert sum(start <= when < start + 60 for when in allowed) <= 2 * per_minute + 1


LINE = re.compile(r'^[a-z_]+(\{[a-z]+="(\\.|[^"\\\n])*"(,[a-z]+="(\\.|[^"\\\n])*")*\})? [0-9.e+-]+$')


def test_prometheus_reads_it() -> None:
    metrics = Metrics()
    for status, seconds in ((200, 0.01), (200, 3.0), (429, 400.0)):
        metrics.served(Served("local", "/v1/models", status, seconds, error="quota_spent" if status == 429 else None))
    metrics.answered('a"b\\c\nd', Result("hi", "stop", Usage(3, 4), Stats(), "m"))
    told = metrics.text([Busy("m", 4, 1, 2, 1024, None)])
    for line in told.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or LINE.match(line), line
    assert 'atelier_requests_total{route="/v1/models",status="200"} 2' in told
    assert 'atelier_refused_total{reason="quota_spent"} 1' in told
    assert 'atelier_request_seconds_bucket{route="/v1/models",le="5.0"} 2' in told
    assert 'atelier_request_seconds_bucket{route="/v1/models",le="+Inf"} 3' in told
    assert 'atelier_request_seconds_count{route="/v1/models"} 3' in told
    assert r'atelier_tokens_total{model="a\"b\\c\nd",kind="completion"} 4' in told
    assert 'atelier_slots{model="m"} 4' in told and 'atelier_queue_waiting{model="m"} 2' in told
    assert "atelier_model_resident_bytes{" not in told
