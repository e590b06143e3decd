"""A Streamlit page with both strips, for a browser test: what was chosen is written below."""

import sys
from pathlib import Path

import streamlit as st

sys.path.insert(0, str(Path(__file__).parents[2]))

from apps.streamlit_components import scored_strip, token_strip
from apps.ui.i18n import words
from tests.standins.strips import pieces, scored

WORDS = words("fr")

token_strip(pieces() * (400 if st.query_params.get("long") else 1), WORDS, key="prompt")
choice = scored_strip(scored(), WORDS, key="answer", choosable="fixed" not in st.query_params)
st.session_state.setdefault("times", 0)
st.session_state.times += choice is not None
if choice:
    st.session_state.last = choice
last = st.session_state.get("last")
st.text(f"{st.session_state.times}: {last.position} {last.text}" if last else "0")
