"""Pictures by models that Replicate hosts: made in a thread of its own, watched, stopped, fetched with bounds, packed.

Knows no interface. What comes back is looked at before anybody shows it: a picture by its own header, no larger than
`engine.images` allows, from Replicate's own hosts.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import httpx

from engine.backends.base import Control
from engine.backends.json_line import PLAIN, explained, read_bounded
from engine.backends.replicate import Replicate
from engine.compare.money import UNKNOWN, Cost, cost_of
from engine.compare.prices import Prices, unbilled
from engine.errors import BadFile, EngineError, NotSupported, ServerFailed, StoreFailed
from engine.images import BYTES_MAX, data_url, image_type
from engine.replicate_form import Field, form_of, input_of
from engine.types import Usage

if TYPE_CHECKING:
    from engine.backends.replicate_api import Prediction
    from engine.catalog import ModelCard
    from engine.engine import Engine

PICTURES_MAX = 8  # of one prediction
LOGS = 4000  # characters of a log's end, where its bar is
BEAT_S = 1.0
SUGGESTED = (
    "replicate/black-forest-labs/flux-schnell",
    "replicate/stability-ai/stable-diffusion-3.5-large",
    "replicate/stability-ai/sdxl",
)
ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}
_BAR = re.compile(r"(\d{1,3})%\|")
Status = Literal["starting", "processing", "fetching", "done", "stopped", "failed"]
Role = Literal["teacher", "student"]


@dataclass(frozen=True)
class Picture:
    """One picture: `data` in the format of `media_type`, `name` for a file."""

    name: str
    media_type: str
    data: bytes

    @property
    def url(self) -> str:
        """As a `data:` URL."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode('ascii')}"


@dataclass(frozen=True)
class Look:
    """How the work stands: `progress` in [0, 1] where the model tells it, `elapsed` seconds, `billed` seconds of
    Replicate's machine; `error` is why it failed, or why pictures are missing beside those that are there.
    """

    model: str
    given: Mapping[str, Any]
    status: Status = "starting"
    progress: float | None = None
    elapsed: float = 0.0
    pictures: tuple[Picture, ...] = ()
    billed: float | None = None
    cost: Cost = UNKNOWN
    error: EngineError | None = None

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.status in ("starting", "processing", "fetching")

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; pictures by name and size."""
        return {
            "model": self.model,
            "input": dict(self.given),
            "status": self.status,
            "progress": self.progress,
            "seconds": round(self.elapsed, 3),
            "billed_seconds": self.billed,
            "cost": self.cost.to_dict(),
            "pictures": [{"name": one.name, "type": one.media_type, "bytes": len(one.data)} for one in self.pictures],
            "error": self.error.to_dict() if self.error else None,
        }


def form(
    engine: Engine, model_id: str, *, owner: str = "local", role: Role = "teacher", key: str | None = None
) -> tuple[Field, ...]:
    """What the model takes, as its own schema says. Raises UnknownModel, AccessDenied, NotSupported, BackendError."""
    return form_of(_opened(engine, model_id, owner, role, key)[1].describe())


class PictureRun:
    """One prediction: begun at once, looked at from any thread. `given` are the values of `form`'s fields; `wanted` is
    asked at each look at Replicate, and ends it there once it says no.

    Raises what `form` raises, and BadParameter for a value that the model would refuse.
    """

    def __init__(
        self,
        engine: Engine,
        model_id: str,
        given: Mapping[str, Any],
        *,
        owner: str = "local",
        role: Role = "teacher",
        key: str | None = None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._wanted = wanted
        self._card, self._backend = _opened(engine, model_id, owner, role, key)
        self._input = input_of(form_of(self._backend.describe()), given)
        self._prices = Prices(engine.values)
        self._control = Control()
        self._began = time.monotonic()
        self._news = threading.Condition()
        self._look = Look(self._card.id, {name: _short(value) for name, value in self._input.items()})
        threading.Thread(target=self._work, name="pictures", daemon=True).start()

    def look(self) -> Look:
        """How it stands."""
        with self._news:
            found = self._look
        return replace(found, elapsed=time.monotonic() - self._began) if found.running else found

    def looks(self, every: float = BEAT_S) -> Iterator[Look]:
        """How it stands after each change and every so many seconds, the end last."""
        while (found := self.look()).running:
            yield found
            with self._news:
                before = self._look
                self._news.wait_for(lambda seen=before: self._look is not seen, every)  # type: ignore[misc]
        yield found

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it has ended, at the latest after `seconds`."""
        with self._news:
            return self._news.wait_for(lambda: not self._look.running, seconds)

    def stop(self) -> None:
        """End it, at Replicate too."""
        self._control.stop()

    def _work(self) -> None:
        error: EngineError | None = EngineError("internal error; see the log")
        last: Prediction | None = None
        try:
            for last in self._backend.predict(self._input, self._control):
                if not self._wanted():
                    self._control.stop()
                self._show(status="processing" if last.status != "starting" else "starting", progress=_bar(last.logs))
            error = None
            if last is not None and not self._control.stopped:
                self._show(status="fetching", progress=1.0)
                error = self._fetch(last.output)
        except EngineError as failure:
            error = failure
        finally:  # of a defect the traceback goes to the thread's excepthook
            self._end(last, error)

    def _fetch(self, output: Any) -> EngineError | None:
        """Show each picture as it comes; one that cannot be had costs none of the others. The first error, if any."""
        first: EngineError | None = None
        for at, place in enumerate(places_of(output, self._backend.name), 1):
            try:
                if not self._control.stopped:
                    picture = fetched(self._backend, place, at, self._control)
                    self._show(pictures=(*self._look.pictures, picture))
            except EngineError as error:
                first = first or error
        return first

    def _end(self, last: Prediction | None, error: EngineError | None) -> None:
        elapsed = time.monotonic() - self._began
        if self._control.stopped:
            self._show(status="stopped", elapsed=elapsed, cost=self._cost(last, None))
            return
        billed = last.number("predict_time") if last is not None else None
        status: Status = "failed" if error and not self._look.pictures else "done"
        self._show(status=status, error=error, billed=billed, elapsed=elapsed, cost=self._cost(last, error))

    def _cost(self, last: Prediction | None, error: EngineError | None) -> Cost:
        """By what was made, whether it could be fetched or not. Unknown where nobody told what that was."""
        try:
            price = self._prices.price(self._card)
        except StoreFailed:  # a picture is worth more than what it cost
            return UNKNOWN
        free = unbilled(self._card, error)
        made = _made(last)
        if price is not None and price.per_image is not None and made is None and not free:
            return UNKNOWN
        billed = last.number("predict_time") if last is not None else None
        return cost_of(price, Usage(), seconds=billed, images=made or 0, unbilled=free)

    def _show(self, **changes: Any) -> None:
        with self._news:
            self._look = replace(self._look, **changes)
            self._news.notify_all()


def places_of(output: Any, backend: str = "replicate") -> list[str]:
    """Where the pictures lie that a prediction gave, the first few. Raises NotSupported where it gave none."""
    places = _addresses(output)
    if not places:
        raise NotSupported("the model gave no picture", capability="pictures", reason="no_picture", backend=backend)
    return places[:PICTURES_MAX]


def fetched(backend: Replicate, place: str, number: int, control: Control) -> Picture:
    """The picture that lies there. Raises BadFile for one that is none or too large, ServerFailed, BackendError."""
    data = _unpacked(place) if place.startswith("data:") else _downloaded(backend, place, control)
    name = f"picture-{number}"
    data_url(name, data)  # a picture, of a size that can be shown
    kind = image_type(data) or ""
    return Picture(f"{name}.{ENDINGS[kind]}", kind, data)


def zip_of(looks: Sequence[Look]) -> bytes:
    """The pictures of several works, each in a folder of its own beside what it was made with."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:  # pictures are packed already
        for number, look in enumerate(looks, 1):
            for picture in look.pictures:
                archive.writestr(_entry(f"{number:02}/{picture.name}"), picture.data)
            told = json.dumps(look.to_dict(), indent=2, ensure_ascii=False)
            archive.writestr(_entry(f"{number:02}/made_with.json"), told)
    return packed.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    """The same file is the same zip, whenever it is packed."""
    return zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))


def _opened(engine: Engine, model_id: str, owner: str, role: Role, key: str | None) -> tuple[ModelCard, Replicate]:
    model = engine.model(model_id, key, role=role, owner=owner)
    if not isinstance(model.backend, Replicate):
        raise NotSupported(
            f"{model.card.id} makes no pictures here",
            capability="pictures",
            reason="no_picture",
            backend=model.backend.name,
        )
    return model.card, model.backend


def _downloaded(backend: Replicate, url: str, control: Control) -> bytes:
    line = backend.file_line(url)
    if line is None:
        raise ServerFailed("the output lies on a host that is not Replicate's", status=None, reason="picture_host")
    line.lend(control)
    try:
        with line.client.stream("GET", url, headers=PLAIN) as response:
            if not response.is_success:
                raise ServerFailed("the output cannot be fetched", status=response.status_code, reason="picture_gone")
            data = read_bounded(response, BYTES_MAX)
    except (httpx.HTTPError, httpx.StreamError, OSError) as error:
        raise explained(error, "the host of the pictures", 0) from error
    finally:
        line.end()
        line.close()
    return data


def _unpacked(url: str) -> bytes:
    head, _, packed = url.partition(",")
    if not head.endswith(";base64") or len(packed) > BYTES_MAX * 2:
        raise BadFile("no picture in base64", path="picture", reason="not_an_image")
    try:
        return base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadFile("no picture in base64", path="picture", reason="broken") from error


def _addresses(output: Any) -> list[str]:
    told = output if isinstance(output, list) else [output]
    return [one for one in told if isinstance(one, str) and one.startswith(("http://", "https://", "data:"))]


def _made(last: Prediction | None) -> int | None:
    """How many pictures were made: as Replicate counts them, else as many as it names. None where it tells neither."""
    if last is None:
        return None
    counted = last.count("image_count")
    return counted if counted is not None else len(_addresses(last.output)) or None


def _bar(logs: str) -> float | None:
    """How far the last progress bar of a log is."""
    found = _BAR.findall(logs[-LOGS:])
    return min(100, int(found[-1])) / 100 if found else None


def _short(value: Any) -> Any:
    """A value to be told: a file that was sent along is not repeated."""
    return f"{value[:30]}…" if isinstance(value, str) and value.startswith("data:") else value
