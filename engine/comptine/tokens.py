"""How many tokens a rhyme or a prompt has, by which tokenizer, and whether its answer fits. Knows no interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.comptine.question import Prompt
from engine.comptine.rhyme import Rhyme
from engine.errors import NotSupported
from engine.tokenizers import count_tiktoken

if TYPE_CHECKING:
    from engine.model import Model


@dataclass(frozen=True)
class Tokens:
    """Token counts of one text; None is unknown, never 0.

    `cl100k`, `o200k` and `model` count the text alone, by OpenAI's encodings and by the model's own tokenizer; `server`
    is the whole prompt as the server counts it; `template` is what it has beyond the text, hidden system message and
    prefix included. `needed` are the tokens of an ideal answer, `window` what prompt and answer share.
    """

    cl100k: int
    o200k: int
    model: int | None = None
    server: int | None = None
    template: int | None = None
    needed: int | None = None
    window: int | None = None

    @property
    def fits(self) -> bool | None:
        """Whether prompt and ideal answer fit into the window together; None where that is not known."""
        if self.server is None or self.needed is None or self.window is None:
            return None
        return self.server < self.window and self.server + self.needed <= self.window


def count(what: Prompt | Rhyme, model: Model | None = None, *, virtual_window: int | None = None) -> Tokens:
    """The counts of a prompt, or of a rhyme as its file holds it, with a newline at the end; a model that cannot count
    leaves its fields None.

    `virtual_window` is a smaller window in tokens. Raises EngineError where the model cannot be reached.
    """
    text = what.text + "\n" if isinstance(what, Rhyme) else what.text
    cl100k, o200k = count_tiktoken(text, "cl100k_base"), count_tiktoken(text, "o200k_base")
    if model is None:
        return Tokens(cl100k, o200k, window=virtual_window)
    window = _window(model, virtual_window)
    own = _own(model, text)
    if isinstance(what, Rhyme):
        return Tokens(cl100k, o200k, own, window=window)
    server = _server(model, what)
    template = None if server is None or own is None else server - own
    return Tokens(cl100k, o200k, own, server, template, _own(model, what.needed_text), window)


def _own(model: Model, text: str) -> int | None:
    """Tokens of the bare text by the model's tokenizer: what a raw completion of it would read."""
    if "raw_completion" not in model.capabilities or "exact_count" not in model.capabilities:
        return None
    return model.count(model.request((), raw=text))


def _server(model: Model, asked: Prompt) -> int | None:
    try:
        return model.count(model.request(asked.messages))
    except NotSupported:
        return None


def _window(model: Model, virtual: int | None) -> int | None:
    real = model.window()
    return min((size for size in (real, virtual) if size is not None), default=None)
