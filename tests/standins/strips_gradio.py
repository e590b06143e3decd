"""A Gradio page with both strips, for a browser test: what was chosen is written below; a button draws others."""

import sys
from pathlib import Path
from typing import Any

import gradio as gr

sys.path.insert(0, str(Path(__file__).parents[2]))

from apps.gradio_components import choice_of, scored_strip, scored_value, token_strip, tokens_value
from apps.ui.i18n import words
from tests.standins.strips import pieces, scored

WORDS = words("fr")


def chose(times: int, event: gr.EventData) -> tuple[int, str]:
    """One more, and what."""
    choice = choice_of(event, scored())
    return (times + 1, f"{times + 1}: {choice.position} {choice.text}") if choice else (times, "refused")


def empty() -> tuple[Any, Any]:
    """Nothing to show."""
    return tokens_value((), WORDS), scored_value((), WORDS)


def full() -> tuple[Any, Any]:
    """Both strips' values."""
    return tokens_value(pieces(), WORDS), scored_value(scored(), WORDS)


with gr.Blocks(title="strips") as page:
    times = gr.State(0)
    prompt = token_strip(elem_id="prompt")
    answer = scored_strip(value=scored_value(scored(), WORDS), elem_id="answer")
    said = gr.Textbox("0", elem_id="said", label="said")
    gr.Button("full", elem_id="full").click(full, None, [prompt, answer])
    gr.Button("empty", elem_id="empty").click(empty, None, [prompt, answer])
    answer.choose(chose, times, [times, said])

if __name__ == "__main__":
    page.launch(server_name="127.0.0.1", server_port=int(sys.argv[1]), quiet=True)
