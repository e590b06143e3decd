"""Pictures from Replicate's stand-in: made, watched, stopped, fetched within bounds, packed; whose key is spent."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from engine.compare import PictureRun, picture_form, zip_of
from engine.compare.money import Price
from engine.compare.pictures import Look
from engine.compare.prices import Prices
from engine.engine import Engine
from engine.errors import (
    AccessDenied,
    BadFile,
    BadParameter,
    EngineError,
    NotSupported,
    ServerFailed,
    Unauthorized,
    UnknownModel,
)
from engine.settings import Settings
from tests.marks import marks_in
from tests.patience import SOON_S
from tests.standins.app_server import wait_for
from tests.standins.replicate_server import KEY, ReplicateStandIn, replicate_standin


@pytest.fixture
def replicate(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReplicateStandIn]:
    monkeypatch.setattr("engine.backends.replicate.POLL_S", 0.02)
    with replicate_standin() as server:
        monkeypatch.setenv("REPLICATE_BASE_URL", server.host)
        monkeypatch.setenv("REPLICATE_API_TOKEN", KEY)
        yield server


@pytest.fixture
def engine() -> Iterator[Engine]:
    with closing(Engine(Settings(model="echo"))) as opened:
        yield opened


def made(engine: Engine, name: str = "image", **given: Any) -> Look:
    """How it ended."""
    run = PictureRun(engine, f"replicate/test/{name}", {"prompt": "a cat", **given})
    assert run.wait(SOON_S)
    return run.look()


def failure(engine: Engine, name: str) -> EngineError:
    look = made(engine, name)
    assert look.status == "failed" and look.error is not None and not look.pictures
    return look.error


def test_pictures_come(replicate: ReplicateStandIn, engine: Engine) -> None:
    look = made(engine, num_outputs=2, aspect_ratio="16:9")
    assert (look.status, look.error, look.billed) == ("done", None, 1.25)
    assert [one.name for one in look.pictures] == ["picture-1.png", "picture-2.png"]
    assert look.pictures[0].data != look.pictures[1].data
    assert look.pictures[0].url.startswith("data:image/png;base64,")
    assert replicate.jobs[0].input == {"prompt": "a cat", "num_outputs": 2, "aspect_ratio": "16:9"}
    files = [one for one in replicate.requests if one.host == "stream"]
    assert len(files) == 2 and not any("Authorization" in one.headers for one in files)


def test_the_form_is_the_models_own(replicate: ReplicateStandIn, engine: Engine) -> None:
    assert picture_form(engine, "replicate/test/image")[0].name == "prompt"
    with pytest.raises(BadParameter):
        PictureRun(engine, "replicate/test/image", {"prompt": "x", "num_outputs": 99})
    assert not replicate.jobs


def test_one_output_and_a_lone_address(replicate: ReplicateStandIn, engine: Engine) -> None:
    assert len(made(engine, "image-single").pictures) == 1


def test_progress_is_the_logs_own(replicate: ReplicateStandIn, engine: Engine) -> None:
    replicate.token_s = 3600.0  # it works until it is stopped
    run = PictureRun(engine, "replicate/test/image", {"prompt": "x"})
    seen = next(look for look in run.looks() if look.progress is not None)
    assert (seen.status, seen.progress) == ("processing", 0.5)
    run.stop()
    assert run.wait(SOON_S) and run.look().status == "stopped"
    assert wait_for(lambda: replicate.jobs[0].status == "canceled", SOON_S)


def test_what_is_no_picture_of_replicates(
    replicate: ReplicateStandIn, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.compare.pictures.BYTES_MAX", 200_000)
    monkeypatch.setattr("engine.images.BYTES_MAX", 200_000)
    kinds = {"image-page": BadFile, "image-endless": BadFile, "image-gone": ServerFailed,
             "image-elsewhere": ServerFailed, "image-failed": ServerFailed}  # fmt: skip
    found = {name: failure(engine, name) for name in kinds}
    assert {name: type(error) for name, error in found.items()} == kinds
    assert found["image-elsewhere"].details["reason"] == "picture_host"
    assert found["image-failed"].details["told"] == "NSFW content detected"


def test_a_page_that_is_gone_ends_it_at_replicate(replicate: ReplicateStandIn, engine: Engine) -> None:
    replicate.token_s = 3600.0  # it works until it is stopped
    gone = threading.Event()
    run = PictureRun(engine, "replicate/test/image", {"prompt": "x"}, wanted=lambda: not gone.is_set())
    assert wait_for(lambda: run.look().status == "processing", SOON_S)
    gone.set()
    assert run.wait(SOON_S) and run.look().status == "stopped"
    assert wait_for(lambda: replicate.jobs[0].status == "canceled", SOON_S)


def test_a_picture_that_is_lost_costs_none_of_the_others(replicate: ReplicateStandIn, engine: Engine) -> None:
    look = made(engine, "image-one-gone", num_outputs=3)
    assert look.status == "done" and [one.name for one in look.pictures] == ["picture-1.png", "picture-3.png"]
    assert look.error is not None and look.error.details["reason"] == "picture_gone"


def test_what_was_made_is_billed(replicate: ReplicateStandIn, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Prices, "price", lambda self, card: Price(per_image=Decimal("0.003")))
    costs = {name: made(engine, name, num_outputs=3).cost.total for name in ("image", "image-one-gone", "image-gone")}
    assert set(costs.values()) == {Decimal("0.009")}
    assert made(engine, "image-failed").cost.total == 0  # Replicate sends no bill for those
    assert made(engine, "image-elsewhere").cost.total == Decimal("0.003")  # one of its two is an address
    assert made(engine, "402").cost.total is None


def test_models_that_make_none(replicate: ReplicateStandIn, engine: Engine) -> None:
    assert isinstance(failure(engine, "string"), NotSupported)
    with pytest.raises(NotSupported):
        picture_form(engine, "echo")
    with pytest.raises(UnknownModel):
        picture_form(engine, "replicate/test/404")


def test_a_student_spends_no_key_of_the_machine(replicate: ReplicateStandIn, engine: Engine) -> None:
    with pytest.raises(AccessDenied):
        PictureRun(engine, "replicate/test/image", {"prompt": "x"}, role="student", owner="s")
    engine.visit_keys.put("s", "replicate/x", "r8_stand-in-0123456789-of-a-student")
    with pytest.raises(Unauthorized):
        picture_form(engine, "replicate/test/image", role="student", owner="s")
    engine.visit_keys.put("s", "replicate/x", KEY)
    assert picture_form(engine, "replicate/test/image", role="student", owner="s")
    assert not replicate.jobs


def test_a_zip_of_all(replicate: ReplicateStandIn, engine: Engine) -> None:
    looks = [made(engine), made(engine, num_outputs=2)]
    packed = zip_of(looks)
    assert packed == zip_of(looks) and not marks_in(packed.decode("latin-1"))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.namelist() == [
            "01/picture-1.png", "01/made_with.json", "02/picture-1.png", "02/picture-2.png", "02/made_with.json",
        ]  # fmt: skip
        told = json.loads(archive.read("02/made_with.json"))
        assert archive.read("01/picture-1.png") == looks[0].pictures[0].data
    assert (told["model"], told["input"]["num_outputs"]) == ("replicate/test/image", 2)
