"""Presets, ready forms of an answer, the template's preview: what fills and checks the settings. Knows no layout."""

from __future__ import annotations

from apps.gradio_chat.pane import Pane


def wire(pane: Pane) -> None:
    """Connect the parts of the settings that fill others."""
