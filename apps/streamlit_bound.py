"""Widgets that show values kept for a browser tab and follow them, for every page with such controls. Draws nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from apps.streamlit_kit import Kept


class Bound(Kept):
    """What a page keeps, with the values of its controls."""

    @property
    def values(self) -> Mapping[str, Any]:
        """What the controls hold."""
        raise NotImplementedError

    def change(self, **values: Any) -> None:
        """Hold other values."""
        self.set("values", {**self.values, **values})

    def bound(self, name: str, value: Any) -> str:
        """The key of a widget that shows this value; it follows when the value changes elsewhere."""
        key = self.key(f"box.{name}")
        if key not in st.session_state or st.session_state[key] != value:
            st.session_state[key] = value
        self.set(f"shown.{name}", (value,))
        return key

    def shown(self, name: str) -> Any:
        """What the widget of that name shows now."""
        return st.session_state[self.key(f"box.{name}")]

    def touched(self, name: str) -> bool:
        """Whether a person changed that widget: a browser also sends what a widget showed that is no longer drawn."""
        return bool(self.get(f"shown.{name}") != (self.shown(name),))
