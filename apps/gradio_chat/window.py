"""The model's window in the chat tab: what the next message would send, as a bar and a sentence. Knows no event."""

from __future__ import annotations

import html
from contextlib import suppress

from apps.gradio_kit import Ui
from apps.ui import present
from apps.ui.window import coarse, fine, window_html
from engine.catalog import ModelCard
from engine.chat import Chat, Choice
from engine.conversation import Attachment, Node
from engine.errors import EngineError, NotSupported, PromptTooLong
from engine.window import Plan
from engine.window.counting import counter

Seen = Plan | PromptTooLong | None


def seen(ui: Ui, chat: Chat, choice: Choice) -> Seen:
    """What the next message would send, or why it would be refused; None where nobody can say without a cost."""
    card = ui.engine.catalog.card(choice.model)
    if not chat.conversation.path() or not counts(ui, card):
        return None
    try:
        return chat.preview("", choice)
    except PromptTooLong as error:
        return error
    except EngineError:  # a bad template or schema is said where it is written, and when it is sent
        return None


def dropping(ui: Ui, chat: Chat, choice: Choice, text: str, files: tuple[Attachment, ...]) -> Plan | None:
    """What the window's policy would leave out because of this message, where the page does not show it yet."""
    if chat.conversation.settings.policy == "stop" or not counts(ui, ui.engine.catalog.card(choice.model)):
        return None
    shown = seen(ui, chat, choice)
    if isinstance(shown, Plan) and not shown.whole:
        return None
    try:
        plan = chat.preview(text, choice, files)
    except (NotSupported, PromptTooLong):  # asking says so, with the numbers
        return None
    return None if plan.whole else plan


def gauge(ui: Ui, chat: Chat, choice: Choice, plan: Seen) -> str:
    """The bar above the input, and one sentence where not everything would be sent."""
    words = ui.words
    if isinstance(plan, Plan) and plan.segments:
        text = window_html(coarse(plan.segments, words), fine(plan.segments, words, foreseen=plan.foreseen))
        dropped = len(plan.dropped)
        return text + (_said("✂", words.n("chat_window.will_drop", dropped)) if dropped else "")
    if isinstance(plan, PromptTooLong):
        return _refused(ui, plan)
    size, used = _window(ui, chat, choice), _last_used(chat)
    if size is None or used is None:
        return ""
    return present.gauge_html(present.gauge(*used, choice.params["max_tokens"], size, words))


def _refused(ui: Ui, error: PromptTooLong) -> str:
    told = _said("⚠", ui.t("chat_window.too_long", needed=error.prompt_tokens, window=error.window))
    if error.prompt_tokens is None or error.window is None:
        return told
    return present.gauge_html(present.gauge(error.prompt_tokens, 0, 0, error.window, ui.words)) + told


def _said(sign: str, text: str) -> str:
    return f'<p class="atelier-note">{sign} {html.escape(text)}</p>'


def _window(ui: Ui, chat: Chat, choice: Choice) -> int | None:
    card = ui.engine.catalog.card(choice.model)
    real = card.window
    if counts(ui, card):
        with suppress(EngineError):
            real = ui.engine.model(card.id, role=choice.role, owner=chat.owner).window()
    return min((size for size in (real, chat.conversation.settings.virtual_window) if size), default=None)


def own_tokens(ui: Ui, choice: Choice, node: Node) -> int | None:
    """Tokens of the message's own text in the model's vocabulary, the template not included; None where unknown."""
    if not node.content or not counts(ui, ui.engine.catalog.card(choice.model)):
        return None
    model = ui.engine.model(choice.model, role=choice.role)
    exact = {"exact_count", "exact_prompt"} <= model.capabilities
    return len(counter(model, None, {}).pieces(node.content)) if exact else None


def counts(ui: Ui, card: ModelCard) -> bool:
    """Whether the model can be asked for counts without loading it or leaving this machine."""
    return card.backend == "echo" or ui.engine.loaded(card.id) is not None


def _last_used(chat: Chat) -> tuple[int, int] | None:
    """Tokens of the last prompt and of its answer, as the server counted them; what is not known is not drawn as 0."""
    for node in reversed(chat.conversation.path()):
        used = node.usage or {}
        if used.get("prompt_tokens") is not None and used.get("completion_tokens") is not None:
            return used["prompt_tokens"], used["completion_tokens"]
    return None
