"""What each part of the Compare tab is given to build itself in. Knows no part."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from apps.gradio_kit import Sidebar, Ui


@dataclass(frozen=True)
class Place:
    """The interface and its left column, the page, the section, and the part's own tab: what a part looks up when it
    comes into sight belongs to `tab.select`; the first part's to `section.select` too.
    """

    ui: Ui
    bar: Sidebar
    blocks: gr.Blocks
    section: gr.Tab
    tab: gr.Tab
