"""Comptine: a numbered rhyme grows until the model loses it. Layout only."""

from __future__ import annotations

from apps import streamlit_kit as kit

ui = kit.page("comptine")
