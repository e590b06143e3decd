"""Files put into a question: read, counted by the model, whole where they fit, else visibly cut. Knows no interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

from engine.conversation import Attachment, Conversation, Node, new_id
from engine.errors import BadInput, NotSupported, PromptTooLong
from engine.images import data_url, image_type
from engine.params import Params

if TYPE_CHECKING:
    from engine.model import Model
    from engine.window.counting import Counter

# cancel: send nothing; truncate: keep the beginning of each; documents: leave them to the Documents page
Choice = Literal["cancel", "truncate", "documents"]
CHOICES: tuple[Choice, ...] = get_args(Choice)
CUT_MARK = "\n[…]"
FILES_MAX = 10
ROUNDS = 8  # each takes off what the last count was over


@dataclass(frozen=True)
class Fit:
    """How a question with its files stands: `needed` prompt tokens with everything whole, `limit` those that leave the
    answer its reserve (None: no window is known). Not `exact` where the model cannot count.
    """

    needed: int
    limit: int | None
    exact: bool

    @property
    def over(self) -> int:
        """Tokens too many; 0 where all fits."""
        return max(0, self.needed - self.limit) if self.limit is not None and self.exact else 0


def attach(model: Model, name: str, data: bytes) -> Attachment:
    """The file, ready for a message: its text counted in the model's own tokens where it can count, or a picture.

    Raises BadFile for what cannot be read, NotSupported for a picture where the model sees none.
    """
    from engine.documents import read
    from engine.documents.reading import clean_name

    if image_type(data):
        _check_vision(model)
        name = clean_name(name)
        return Attachment(name, "image", "", data_url=data_url(name, data))
    document = read(name, data)
    pages = len(document.pages) if document.unit in ("page", "slide") else None
    return Attachment(document.name, "text", document.text, _tokens(model, document.text), pages,
                      warnings=document.warnings)  # fmt: skip


def measure(
    model: Model,
    conversation: Conversation,
    text: str,
    attachments: Sequence[Attachment],
    params: Params | None = None,
) -> Fit:
    """What asking `text` with these files at the conversation's leaf needs, counted as it will be sent.

    Where the window policy may drop earlier turns, these do not count. Pictures do not either.
    """
    return _Question(model, conversation, text, params).fit(attachments)


def fit(
    model: Model,
    conversation: Conversation,
    text: str,
    attachments: Sequence[Attachment],
    params: Params | None = None,
    choice: Choice | None = None,
) -> tuple[Attachment, ...]:
    """The files to send: all of them, whole, where they fit; else by `choice`, none or the beginnings.

    Files are cut at borders of tokens, the longest first, and say so. Raises PromptTooLong with exact numbers where no
    choice was made, or where not even empty files would fit; NotSupported for pictures that the model cannot see;
    BadInput for more than ten files.
    """
    if len(attachments) > FILES_MAX:
        raise BadInput(f"at most {FILES_MAX} files", reason="too_many_files", limit=FILES_MAX)
    if any(file.kind == "image" for file in attachments):
        _check_vision(model)
    question = _Question(model, conversation, text, params)
    found = question.fit(attachments)
    if not found.over:
        return tuple(attachments)
    if choice is None:
        raise PromptTooLong(found.needed, found.limit)
    return question.cut(tuple(attachments), found) if choice == "truncate" else ()


class _Question:
    """One question as it would be sent with this or that many files."""

    def __init__(self, model: Model, conversation: Conversation, text: str, params: Params | None) -> None:
        self._model = model
        self._params = (params or Params()).over(model.defaults)
        free = conversation.settings.policy != "stop"
        self._tree = replace(conversation, nodes={}, leaf=None) if free else conversation
        self._text = text
        self._counter: Counter | None = None

    def fit(self, attachments: Sequence[Attachment]) -> Fit:
        """The count against the window, which the first count may have loaded."""
        from engine.window.policies import reserved

        needed = self._count(attachments)
        sizes = (self._model.window(), self._tree.settings.virtual_window)
        window = min((size for size in sizes if size), default=None)
        limit = None if window is None else window - max(1, reserved(self._params["max_tokens"], window))
        return Fit(needed, limit, "exact_count" in self._model.capabilities)

    def cut(self, attachments: tuple[Attachment, ...], found: Fit) -> tuple[Attachment, ...]:
        """The beginnings that fit. Each round takes off what the last one was over: tokens merge at the borders."""
        assert self._counter is not None and found.limit is not None
        pieces = [self._counter.pieces(file.text) if file.kind == "text" else () for file in attachments]
        total, needed = sum(map(len, pieces)), found.needed
        for _ in range(ROUNDS):
            total -= needed - found.limit
            if total < 0:
                break
            shorter = tuple(map(_shortened, attachments, pieces, _shares([len(one) for one in pieces], total)))
            needed = self._count(shorter)
            if needed <= found.limit:
                return shorter
        raise PromptTooLong(needed, found.limit)

    def _count(self, attachments: Sequence[Attachment]) -> int:
        from engine.asked import asked
        from engine.window.counting import counter

        texts = tuple(file for file in attachments if file.kind == "text")
        tree = self._tree.add(Node(new_id(), self._tree.leaf, "user", self._text, 0.0, attachments=texts))
        what = asked(self._model, tree, tree.leaf)
        self._counter = counter(self._model, self._params, what.options)
        return self._counter(what.messages)


def _shares(lengths: Sequence[int], total: int) -> list[int]:
    """How many of its tokens each may keep: the short ones all, the long ones equally many."""
    shares = [0] * len(lengths)
    left = total
    for place, index in enumerate(sorted(range(len(lengths)), key=lambda index: lengths[index])):
        shares[index] = min(lengths[index], left // (len(lengths) - place))
        left -= shares[index]
    return shares


def _shortened(file: Attachment, pieces: Sequence[bytes], tokens: int) -> Attachment:
    from engine.window.counting import beginning

    if file.kind == "image" or tokens >= len(pieces):
        return file
    return replace(file, text=beginning(pieces, tokens) + CUT_MARK, tokens=tokens, truncated=True, whole=len(pieces))


def _tokens(model: Model, text: str) -> int | None:
    from engine.window.counting import counter

    if not {"exact_count", "exact_prompt"} <= model.capabilities:
        return None
    return len(counter(model, None, {}).pieces(text))


def _check_vision(model: Model) -> None:
    if "vision" not in model.capabilities:
        raise NotSupported(f"{model.card.id} sees no pictures", capability="vision", backend=model.backend.name)
