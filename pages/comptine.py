"""Comptine: a numbered rhyme grows until the model loses it, from the course sheet to a measurement. Layout only."""

from __future__ import annotations

from apps import streamlit_kit as kit
from apps.streamlit_comptine import question, rhyme, sweep, trial
from apps.streamlit_comptine.desk import Desk
from apps.streamlit_comptine.drawer import drawer
from apps.streamlit_comptine.guide import guide
from apps.streamlit_comptine.steps import step, wide

ui = kit.page("comptine")
wide()
desk = Desk(ui)
with kit.guard(ui):
    guide(desk)
    step(desk, "rhyme", rhyme.rhyme_step, rhyme.told(desk), following="question")
    step(desk, "question", question.question_step, question.told(desk), following="run")
    step(desk, "run", trial.run_step, trial.told(desk))
    if sweep.wanted(desk):
        step(desk, "sweep", sweep.sweep_step, sweep.told(desk))
    drawer(desk)
desk.write_address()
