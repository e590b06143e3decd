"""Files in a question: counted in the model's tokens, whole where they fit, cut in sight where somebody says so."""

from __future__ import annotations

import base64
import random
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine import Engine, Settings
from engine.attachments import CUT_MARK, attach, fit, measure
from engine.conversation import Attachment, ChatSettings, Conversation, Node
from engine.errors import BadFile, BadInput, NotSupported, PromptTooLong
from engine.images import data_url
from engine.model import Model
from engine.params import Params
from tests.conftest import small_settings
from tests.documents.files import drawn, pdf, pptx

EMPTY = Conversation("c")
FEW = Params({"max_tokens": 20})


def png(width: int = 2, height: int = 2) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\x08\x02\0\0\0"


def jpeg(width: int, height: int) -> bytes:
    note = b"\xff\xe1\0\x0aExif\0\0\0\0"  # metadata first, with nothing to believe
    return b"\xff\xd8" + note + b"\xff\xff\xc0\0\x11\x08" + struct.pack(">HH", height, width) + b"\x03" * 9


IMAGES = {
    "image/png": png(3, 2),
    "image/jpeg": jpeg(3, 2),
    "image/gif": b"GIF89a" + struct.pack("<HH", 3, 2) + b"\0\0\0",
    "image/webp": b"RIFF\0\0\0\0WEBPVP8 " + bytes(10) + struct.pack("<HH", 3, 2),
}


@pytest.fixture
def echo() -> Iterator[Model]:
    opened = Engine(Settings())
    yield opened.model("echo")
    opened.close()


def seeing(model: Model) -> Any:
    """The model with eyes."""
    return SimpleNamespace(
        capabilities=model.capabilities | {"vision"}, card=model.card, backend=model.backend, request=model.request,
        count=model.count, render=model.render, window=model.window, defaults=model.defaults,
        configuration=model.configuration,
    )  # fmt: skip


def file(name: str, words: int) -> Attachment:
    return Attachment(name, "text", " ".join(f"mot{number}" for number in range(words)))


def test_a_text_is_read_and_counted(echo: Model) -> None:
    found = attach(echo, "dossier/notes.txt", b"un deux trois")
    assert found == Attachment("notes.txt", "text", "un deux trois", tokens=3)


def test_pages_are_counted_where_there_are_some(echo: Model) -> None:
    assert attach(echo, "a.pdf", pdf("un", "deux", "[]")).pages == 3
    assert attach(echo, "a.pdf", pdf("un", "[]")).warnings == ("pages_without_text",)
    assert attach(echo, "a.pptx", pptx([drawn("x")])).pages == 1
    assert attach(echo, "a.csv", b"a,b").pages is None


def test_what_the_model_cannot_count_is_not_counted(echo: Model) -> None:
    blind: Any = SimpleNamespace(capabilities=frozenset(), card=echo.card, backend=echo.backend)
    assert attach(blind, "a.txt", b"x").tokens is None


def test_all_that_fits_goes_whole(echo: Model) -> None:
    files = [file("a", 50), file("b", 50)]
    assert fit(echo, EMPTY, "Résume.", files, FEW) == tuple(files)


def small(window: int, policy: str = "stop") -> Conversation:
    return replace(EMPTY, settings=ChatSettings(virtual_window=window, policy=policy))


def test_what_does_not_fit_needs_a_choice(echo: Model) -> None:
    files = [file("a", 200)]
    found = measure(echo, small(100), "Résume.", files, FEW)
    assert found.exact and found.limit == 80 and found.over == found.needed - 80 > 100
    with pytest.raises(PromptTooLong) as caught:
        fit(echo, small(100), "Résume.", files, FEW)
    assert caught.value.details == {"prompt_tokens": found.needed, "window": 80}
    assert fit(echo, small(100), "Résume.", files, FEW, "cancel") == ()
    assert fit(echo, small(100), "Résume.", files, FEW, "documents") == ()


def test_the_longest_are_cut_first_and_say_so(echo: Model) -> None:
    files = [file("long", 300), file("short", 5), file("longer", 500)]
    first, short, longer = fit(echo, small(200), "Résume.", files, FEW, "truncate")
    assert short == files[1]
    for cut, whole in ((first, files[0]), (longer, files[2])):
        assert cut.truncated and cut.text.endswith(CUT_MARK) and whole.text.startswith(cut.text.removesuffix(CUT_MARK))
        assert cut.whole == len(whole.text.split()) and cut.tokens is not None and cut.tokens > 50
    kept = measure(echo, small(200), "Résume.", [first, short, longer], FEW)
    assert kept.over == 0 and kept.limit is not None and kept.needed > kept.limit - 10


def test_where_not_even_nothing_fits(echo: Model) -> None:
    with pytest.raises(PromptTooLong):
        fit(echo, small(100), "mot " * 200, [file("a", 10)], FEW, "truncate")


def test_turns_that_the_policy_may_drop_do_not_count(echo: Model) -> None:
    said = Node("n", None, "user", "mot " * 80, 1.0)
    tree = small(100).add(said)
    assert measure(echo, tree, "Résume.", [file("a", 30)], FEW).over
    rolling = small(100, "rolling").add(said)
    assert not measure(echo, rolling, "Résume.", [file("a", 30)], FEW).over


def test_too_many_files(echo: Model) -> None:
    with pytest.raises(BadInput, match="files"):
        fit(echo, EMPTY, "x", [file("a", 1)] * 11)


@pytest.mark.parametrize("kind", IMAGES)
def test_a_picture_becomes_a_data_url_by_its_contents(echo: Model, kind: str) -> None:
    found = attach(seeing(echo), "photo.txt", IMAGES[kind])
    assert (found.kind, found.text, found.data_url) == (
        "image", "", f"data:{kind};base64,{base64.b64encode(IMAGES[kind]).decode()}"
    )  # fmt: skip


def test_a_picture_is_for_models_that_see(echo: Model) -> None:
    with pytest.raises(NotSupported) as caught:
        attach(echo, "a.png", png())
    assert caught.value.details == {"capability": "vision", "backend": "echo"}
    picture = attach(seeing(echo), "a.png", png())
    with pytest.raises(NotSupported):  # the model was changed after the picture was chosen
        fit(echo, EMPTY, "x", [picture])
    assert fit(seeing(echo), EMPTY, "x", [picture]) == (picture,)


def test_a_picture_goes_out_as_openai_writes_it(echo: Model) -> None:
    picture = attach(seeing(echo), "a.png", png())
    message = Node("n", None, "user", "Que vois-tu ?", 0.0, attachments=(picture,)).message().to_dict()
    assert message["content"] == [
        {"type": "text", "text": "Que vois-tu ?"},
        {"type": "image_url", "image_url": {"url": picture.data_url}},
    ]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (png(20_000, 10), "too_many_pixels"),
        (png(10_000, 10_000), "too_many_pixels"),
        (png(0, 5), "broken"),
        (png()[:18], "broken"),
        (b"\xff\xd8\xff", "broken"),
        (b"\xff\xd8\xff\xda\0\x04xx", "broken"),
        (b"\xff\xd8\xff\xe1\0\0\xff\xe1\0\0", "broken"),
        (b"\xff\xd8" + b"\xff\xe1\xff\xff" * 50, "broken"),
        (b"GIF89a", "broken"),
        (b"RIFF\0\0\0\0WEBPVP8?" + bytes(30), "broken"),
        (png() + bytes(8 * 2**20), "too_large"),
        (b"<svg/>", "not_an_image"),
    ],
)
def test_a_picture_that_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(BadFile) as caught:
        data_url("a", data)
    assert caught.value.details["reason"] == reason


@pytest.mark.parametrize("start", list(IMAGES.values()), ids=list(IMAGES))
def test_no_bytes_break_the_header_reader(start: bytes) -> None:
    chance = random.Random(7)
    for _ in range(300):
        data = start[: chance.randint(4, len(start))] + chance.randbytes(chance.randint(0, 60))
        try:
            data_url("a", data)
        except BadFile as error:
            assert error.details["reason"] in ("broken", "too_many_pixels", "not_an_image")


@pytest.mark.model
def test_exact_with_the_real_model(tmp_path: Path) -> None:
    engine = Engine(small_settings(tmp_path))
    try:
        model = engine.model()
        text = "L’été, où l’on déjeune : un cœur naïf. 日本語 " * 60
        found = attach(model, "a.txt", text.encode())
        assert found.tokens == len(model.render(model.request((), raw=found.text)).tokens)
        tree = small(256)
        (cut,) = fit(model, tree, "Résume.", [found], FEW, "truncate")
        kept = measure(model, tree, "Résume.", [cut], FEW)
        assert cut.truncated and not kept.over and kept.limit == 236 and kept.needed > 225
        sent = tree.add(Node("n", None, "user", "Résume.", 0.0, attachments=(cut,)))
        answer = model.answer(sent.messages(), FEW, virtual_window=256)
        assert answer.usage.prompt_tokens == kept.needed
    finally:
        engine.close()
