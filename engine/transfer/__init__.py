"""Conversations in and out: our own tree, Markdown, OpenAI's messages, and the exports of ChatGPT and Open WebUI."""

from engine.transfer.importing import import_any, to_bytes
from engine.transfer.lines import to_openai_jsonl
from engine.transfer.markdown import to_markdown
from engine.transfer.own import export_all, export_conversation

__all__ = ["export_all", "export_conversation", "import_any", "to_bytes", "to_markdown", "to_openai_jsonl"]
