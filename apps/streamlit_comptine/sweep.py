"""Step 4: the grid of a sweep, the job that fills it, earlier ones; what they say is drawn by `plots`."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from apps.streamlit_comptine.desk import Desk
from apps.streamlit_comptine.plots import live, plots
from apps.streamlit_kit import Ui, guard, show_error
from engine.comptine.cell import Cell, CellResult
from engine.comptine.grid import MAX_CELLS, Sweep
from engine.comptine.question import PLACES
from engine.comptine.rhyme import VARIANTS
from engine.comptine.sweep import TASK, submit
from engine.comptine.sweepfile import Saved, SweepFile, file_named, saved_files
from engine.errors import BadFile, BadInput, error_from
from engine.jobs import OPEN, Job

LOOK_EVERY_S = 1.0
LISTED = 30
MAX_SEEDS = 100
# a minute or two with the bundled model
START = {"verses": "5, 10, 20", "ranges": "1-5", "variants": ["names"], "shots": [0], "places": ["after"], "seeds": 3,
         "windows": "", "models": [], "strict": False}  # fmt: skip


def sweep_step(desk: Desk) -> None:
    """The form, or the sweep that runs; then the results in sight."""
    job = open_job(desk)
    if job is None:
        with guard(desk.ui):
            _form(desk)
        desk.show_failure()
    else:
        st.fragment(_running, run_every=LOOK_EVERY_S)(desk, job.id)
    file = _chosen(desk, job)
    if file is None:
        st.caption(desk.ui.t("comptine_sweep.none"))
    elif job is None or job.args.get("path") != str(file.path):
        _state(desk, file)
        plots(desk, finished(file.read()), file.path.stem)


def told(desk: Desk) -> str:
    """The step in a few words."""
    return desk.ui.t("comptine_sweep.running") if open_job(desk) else ""


def wanted(desk: Desk) -> bool:
    """Whether the step is there: after a first run, or where there are sweeps already."""
    known = bool(saved_files(desk.ui.engine.settings.home, desk.ui.person.id))
    return known or desk.result is not None or desk.step == "sweep"


def open_job(desk: Desk) -> Job | None:
    """The sweep of this person that waits or runs."""
    jobs = desk.ui.engine.jobs.list(desk.ui.person.id, OPEN)
    return next((job for job in jobs if job.task == TASK), None)


def finished(saved: Saved) -> list[CellResult]:
    """The cells that have a result, in the sweep's order."""
    return [saved.results[cell.key] for cell in _cells(saved.sweep) if cell.key in saved.results]


@functools.lru_cache(maxsize=32)
def _cells(asked: Sweep) -> tuple[Cell, ...]:
    """Its cells; to put them in order every prompt is made, which a long sweep should pay once."""
    return asked.cells()


def _form(desk: Desk) -> None:
    t, values = desk.ui.t, {**START, **desk.get("grid", {})}
    verses, ranges, seeds = st.columns([3, 3, 2])
    _text(desk, verses, "verses", values, "lists_help")
    _text(desk, ranges, "ranges", values, "ranges_help")
    seeds.number_input(t("comptine_sweep.seeds"), 1, MAX_SEEDS, key=desk.bound("grid.seeds", values["seeds"]),
                       on_change=_changed, args=(desk, "seeds"), help=t("comptine_sweep.seeds_help"))  # fmt: skip
    variants, windows = st.columns(2)
    _several(desk, variants, "variants", VARIANTS, values, lambda name: t(f"comptine.variants.{name}"))
    _text(desk, windows, "windows", values, "windows_help")
    with st.expander(t("comptine_sweep.more")):
        _several(desk, st, "shots", (0, 1), values, str)
        _several(desk, st, "places", PLACES, values, lambda name: t(f"comptine.places.{name}"))
        cards = {card.id: card.name for card in desk.ui.engine.models(desk.ui.person.role) if not card.problem}
        _several(desk, st, "models", tuple(cards), values, lambda name: cards.get(name, name))
        st.toggle(t("comptine.strict"), key=desk.bound("grid.strict", values["strict"]), on_change=_changed,
                  args=(desk, "strict"), help=t("comptine_sweep.strict_help"))  # fmt: skip
    asked = _asked(desk)
    if asked is not None:
        st.caption(desk.ui.words.n("comptine_sweep.cells", len(_cells(asked))))
    st.button(t("comptine_sweep.start"), icon=":material/play_arrow:", type="primary", on_click=_start, args=(desk,),
              disabled=asked is None, key=desk.key("sweep_start"))  # fmt: skip


def _text(desk: Desk, place: Any, name: str, values: dict[str, Any], help_key: str) -> None:
    place.text_input(desk.ui.t(f"comptine_sweep.{name}"), key=desk.bound(f"grid.{name}", values[name]), max_chars=400,
                     help=desk.ui.t(f"comptine_sweep.{help_key}"), on_change=_changed, args=(desk, name))  # fmt: skip


def _several(desk: Desk, place: Any, name: str, known: Sequence[Any], values: dict[str, Any], say: Any) -> None:
    chosen = [one for one in values[name] if one in known]
    place.multiselect(desk.ui.t(f"comptine_sweep.{name}"), known, key=desk.bound(f"grid.{name}", chosen),
                      format_func=say, on_change=_changed, args=(desk, name))  # fmt: skip


def _changed(desk: Desk, name: str) -> None:
    if desk.touched(f"grid.{name}"):
        desk.set("grid", {**desk.get("grid", {}), name: st.session_state[desk.key(f"box.grid.{name}")]})


def _asked(desk: Desk) -> Sweep | None:
    """The sweep that the form asks for; None where it cannot be, which is said."""
    try:
        return sweep_of(desk)
    except BadInput as error:
        t, cells = desk.ui.t, error.details.get("cells")
        if cells is None:
            st.warning(t("comptine_sweep.bad_sweep", where=str(error.details.get("where"))))
        else:
            key = "too_many" if cells else "no_cell"
            st.warning(t(f"comptine_sweep.{key}", cells=cells, high=MAX_CELLS))
        return None


def sweep_of(desk: Desk) -> Sweep:
    """The sweep of the form; language, prefix, policy and temperature are those of the steps above. Raises BadInput."""
    grid, values = {**START, **desk.get("grid", {})}, desk.values
    asked = Sweep.of({
        "verses": _parts(grid["verses"]), "ranges": [re.split(r"\s*[-–:]\s*", one) for one in _parts(grid["ranges"])],
        "variants": grid["variants"], "shots": grid["shots"], "places": grid["places"],
        "seeds": range(1, int(grid["seeds"]) + 1), "windows": _parts(grid["windows"]) or [None],
        "models": grid["models"] or [desk.ui.card.id], "languages": [values["rhyme"]], "policy": values["policy"],
        "prefix": values["prefix"] or None, "temperature": values["temperature"],
    })  # fmt: skip
    _cells(asked)
    return asked


def _parts(text: str) -> list[str]:
    return [part for part in re.split(r"[,;\s]+", text.strip()) if part]


def _start(desk: Desk) -> None:
    """One at a time for each person."""

    def act() -> None:
        if open_job(desk) is None:
            ui = Ui(desk.ui.section, desk.ui.lang)
            strict = bool(desk.get("grid", {}).get("strict"))
            _, file = submit(ui.engine, ui.person.id, sweep_of(desk), role=ui.person.role, strict=strict)
            desk.set("sweep_file", file.path.name)

    desk.attempt(act)


def _resume(desk: Desk, file: SweepFile) -> None:
    def act() -> None:
        if open_job(desk) is None:
            ui = Ui(desk.ui.section, desk.ui.lang)
            saved = file.read()
            submit(ui.engine, ui.person.id, saved.sweep, file, role=ui.person.role, strict=saved.strict)

    desk.attempt(act)


def _running(desk: Desk, job_id: str) -> None:
    """How far it is, the button that ends it, the pictures as they fill; the whole page anew at its end."""
    ui, t = desk.ui, desk.ui.t
    job = ui.engine.jobs.get(job_id, ui.person.id)
    if job.state not in OPEN:
        desk.set("sweep_error", job.error)
        st.rerun()
    with guard(ui):
        path = Path(job.args["path"])
        saved = SweepFile(path).read()
        done, total = finished(saved), len(_cells(saved.sweep))
        said = t("comptine_sweep.queued")
        if job.state == "running":
            key = "progress_begin" if job.eta is None else "progress"
            said = t(f"comptine_sweep.{key}", done=len(done), total=total, left=ui.words.seconds(job.eta))
        st.progress(len(done) / total, said)
        st.button(t("comptine_sweep.cancel"), icon=":material/stop:", key=desk.key("sweep_cancel"),
                  on_click=ui.engine.jobs.cancel, args=(job.id, ui.person.id))  # fmt: skip
        if desk.get("sweep_file") in (None, path.name):
            live(desk, done)


def _chosen(desk: Desk, job: Job | None) -> SweepFile | None:
    """The sweep in sight: the one that runs, else the one that was chosen, else the latest."""
    home, owner, t = desk.ui.engine.settings.home, desk.ui.person.id, desk.ui.t
    known = {file.path.name: file for file in saved_files(home, owner)[:LISTED]}
    if not known:
        return None
    running = Path(job.args["path"]).name if job else None
    now = desk.get("sweep_file")
    now = now if now in known else running if running in known else next(iter(known))
    if len(known) > 1:
        st.selectbox(t("comptine_sweep.choose"), list(known), key=desk.bound("sweep_file", now),
                     format_func=lambda name: _line(desk, known[name]), on_change=_choose, args=(desk,))  # fmt: skip
    return file_named(home, owner, now)


def _choose(desk: Desk) -> None:
    if desk.touched("sweep_file"):
        desk.set("sweep_file", st.session_state[desk.key("box.sweep_file")])


def _line(desk: Desk, file: SweepFile) -> str:
    """One earlier sweep: when, which model, how long, how many cells."""
    try:
        saved = file.read()
    except BadFile:  # the others are still to be chosen
        return file.path.stem
    models = ", ".join(model or desk.ui.engine.settings.model for model in saved.sweep.models)
    verses = ", ".join(map(str, saved.sweep.verses))
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(saved.created))
    return f"{when} · {desk.ui.t('comptine_sweep.summary', models=models, verses=verses, cells=len(saved.results))}"


def _state(desk: Desk, file: SweepFile) -> None:
    """Whether the sweep is whole; if not, what it failed with and the button that goes on."""
    saved = file.read()
    done, total = len(finished(saved)), len(_cells(saved.sweep))
    key = "done" if done == total else "interrupted"
    st.caption(desk.ui.t(f"comptine_sweep.{key}", done=done, total=total))
    if done == total:
        return
    if failed := desk.get("sweep_error"):
        show_error(desk.ui, error_from(failed))
    st.button(desk.ui.t("comptine_sweep.resume"), icon=":material/resume:", on_click=_resume, args=(desk, file),
              disabled=open_job(desk) is not None, key=desk.key("sweep_resume"))  # fmt: skip
