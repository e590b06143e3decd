"""The engine of Atelier LLM: models that stream, with exact prompts, counts, statistics, traces. Knows no interface."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from engine.errors import EngineError
from engine.params import PARAMS, Param, Params
from engine.types import (
    Event,
    Finished,
    Message,
    ModelState,
    PromptProgress,
    Queued,
    Rendered,
    Result,
    Stats,
    TextDelta,
    Usage,
)

if TYPE_CHECKING:
    from engine.attachments import attach
    from engine.attachments import fit as fit_attachments
    from engine.chat import Chat, Choice
    from engine.conversation import Attachment, ChatSettings, Conversation
    from engine.documents import Document
    from engine.documents import read as read_document
    from engine.engine import Engine
    from engine.generation import Generation
    from engine.model import Model
    from engine.output import Output as Form
    from engine.prompts import Prompt, Prompts
    from engine.prompts import samples as prompt_samples
    from engine.settings import Settings
    from engine.token_view import answer_tokens
    from engine.transfer import export_conversation, to_markdown
    from engine.transfer import import_any as import_conversations

__all__ = [
    "PARAMS",
    "Attachment",
    "Chat",
    "ChatSettings",
    "Choice",
    "Conversation",
    "Document",
    "Engine",
    "EngineError",
    "Event",
    "Finished",
    "Form",
    "Generation",
    "Message",
    "Model",
    "ModelState",
    "Param",
    "Params",
    "Prompt",
    "PromptProgress",
    "Prompts",
    "Queued",
    "Rendered",
    "Result",
    "Settings",
    "Stats",
    "TextDelta",
    "Usage",
    "answer_tokens",
    "attach",
    "export_conversation",
    "fit_attachments",
    "import_conversations",
    "prompt_samples",
    "read_document",
    "to_markdown",
]

# Imported at first use: `python -m engine --help` needs none of them, and pydantic alone costs a quarter of a second.
_LATER = {
    "Attachment": "engine.conversation",
    "Chat": "engine.chat",
    "ChatSettings": "engine.conversation",
    "Choice": "engine.chat",
    "Conversation": "engine.conversation",
    "Document": "engine.documents",
    "Engine": "engine.engine",
    "Form": "engine.output:Output",
    "Generation": "engine.generation",
    "Model": "engine.model",
    "Prompt": "engine.prompts",
    "Prompts": "engine.prompts",
    "Settings": "engine.settings",
    "answer_tokens": "engine.token_view",
    "attach": "engine.attachments",
    "export_conversation": "engine.transfer",
    "fit_attachments": "engine.attachments:fit",
    "import_conversations": "engine.transfer:import_any",
    "prompt_samples": "engine.prompts:samples",
    "read_document": "engine.documents:read",
    "to_markdown": "engine.transfer",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(name)
    module, _, named = _LATER[name].partition(":")
    return getattr(import_module(module), named or name)
