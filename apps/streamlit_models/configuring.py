"""What the teacher keeps for a model or an instance of it, and which value wins where several are said."""

from __future__ import annotations

from typing import Any

import streamlit as st

from apps.streamlit_kit import table
from apps.streamlit_models.desk import Desk
from apps.ui import model_card
from engine import instances
from engine.catalog import ModelCard
from engine.decided import decided
from engine.models.configuration import Configuration, instance_id
from engine.params import BY_NAME
from engine.runtime.load import KV_TYPES, RANGES

NUMBERS = ("context", "slots", "threads", "batch", "gpu_layers")
PARAMS = ("temperature", "top_k", "top_p", "min_p", "repeat_penalty", "max_tokens")
FORMS = ("text", "json_schema", "grammar")
TEXT_MAX = 32 * 1024


def configuration(desk: Desk, one: ModelCard) -> None:
    """Which value wins, then the teacher's form."""
    t, words = desk.ui.t, desk.ui.words
    st.caption(t("models_config.order"))
    table(model_card.decided_head(words), model_card.decided_rows(_decided(desk, one), words))
    if not desk.teacher:
        st.caption(t("models_config.teacher"))
        return
    with st.expander(t("models_config.form_title"), icon=":material/tune:"):
        _form(desk, one)
    _instance(desk, one)


def _decided(desk: Desk, one: ModelCard) -> Any:
    """Who says what of this model: what somebody moved in the left column is what a request from this page says."""
    ui = desk.ui
    found = decided(ui.engine, one.id, request=ui.moved)
    shown = (*PARAMS, *NUMBERS, "kv_type", "flash_attention", "ttl_s", "system", "template", "output")
    return [row for row in found if row.source != "engine" or row.name in shown]


def _form(desk: Desk, one: ModelCard) -> None:
    """Four parts, all in one form: nothing counts before it is saved."""
    t, kept = desk.ui.t, desk.ui.engine.configurations.get(one.id)
    with st.form(desk.key(f"form.{one.id}"), border=False):
        load = _load(desk, one, kept)
        system = st.text_area(t("models_config.system"), kept.prompt.system or "", height=68, max_chars=TEXT_MAX)
        params = _params(desk, kept)
        with st.expander(t("models_config.more")):
            template = st.text_area(t("models_config.template"), kept.prompt.template or "", height=120,
                                    help=t("models_config.template_help"), max_chars=TEXT_MAX)  # fmt: skip
            output = _output(desk, kept)
        if st.form_submit_button(t("models_config.save"), icon=":material/save:", type="primary"):
            given = {"load": load, "prompt": {"system": system.strip() or None, "template": template.strip() or None},
                     "params": params, "output": output}  # fmt: skip
            desk.teach(lambda now: _save(now, one.id, given))
            st.rerun()
    if not kept.empty:
        st.button(t("models_config.remove"), icon=":material/delete:", key=desk.key("config.remove"),
                  on_click=desk.teach, args=(lambda now: _remove(now, one.id),))  # fmt: skip


def _save(desk: Desk, model_id: str, given: dict[str, Any]) -> str:
    instances.configure(desk.ui.engine, model_id, Configuration.from_dict(given), desk.ui.person.role)
    return desk.ui.t("models_config.saved")


def _remove(desk: Desk, model_id: str) -> str:
    instances.remove(desk.ui.engine, model_id, desk.ui.person.role)
    return desk.ui.t("models_config.removed")


def _load(desk: Desk, one: ModelCard, kept: Configuration) -> dict[str, Any]:
    """How it is loaded; an empty field leaves it to the application."""
    t, found = desk.ui.t, dict[str, Any]()
    unset = t("models_config.unset")
    with st.container(horizontal=True):
        for name in NUMBERS:
            low, high = RANGES[name]
            found[name] = st.number_input(t(f"models_config.load_of.{name}"), low, high, getattr(kept.load, name), 1,
                                          placeholder=unset, width=150)  # fmt: skip
        kinds = (None, *KV_TYPES)
        found["kv_type"] = st.selectbox(t("models_config.load_of.kv_type"), kinds, kinds.index(kept.load.kv_type),
                                        format_func=lambda kind: kind or unset, width=150)  # fmt: skip
        choices = (None, True, False)
        found["flash_attention"] = st.selectbox(
            t("models_config.load_of.flash_attention"), choices, choices.index(kept.load.flash_attention), width=150,
            format_func=lambda value: model_card.said(value, desk.ui.words),
        )  # fmt: skip
        found["seed"] = st.number_input(t("models_config.load_of.load_seed"), 0, 2**32 - 1, kept.load.seed, 1,
                                        placeholder=unset, width=150)  # fmt: skip
        ttl = None if kept.load.ttl_s is None else int(kept.load.ttl_s)
        found["ttl_s"] = st.number_input(
            t("models_config.load_of.ttl_s"), 0, None, ttl, 60, placeholder=unset, width=150
        )
    return {name: value for name, value in found.items() if value is not None}


def _params(desk: Desk, kept: Configuration) -> dict[str, Any]:
    """Parameters of answers; those that have no field here stay as they are kept."""
    found = {name: value for name, value in kept.params.items() if name not in PARAMS}
    with st.container(horizontal=True):
        for name in PARAMS:
            param = BY_NAME[name]
            cast = int if param.kind == "int" else float
            low, high, step = (None if bound is None else cast(bound) for bound in (param.low, param.high, param.step))
            known = kept.params.get(name)
            value = st.number_input(desk.ui.t(param.label_key), low, high, None if known is None else cast(known), step,
                                    placeholder=desk.ui.t("models_config.unset"), width=150)  # fmt: skip
            if value is not None:
                found[name] = value
    return found


def _output(desk: Desk, kept: Configuration) -> dict[str, str] | None:
    t, known = desk.ui.t, kept.output
    form = st.selectbox(t("models_config.output_kind"), FORMS, FORMS.index(known.kind) if known else 0, width=220,
                        format_func=lambda name: t(f"models_config.form.{name}"))  # fmt: skip
    source = st.text_area(
        t("models_config.output_source"), known.source if known else "", height=100, max_chars=TEXT_MAX
    )
    return None if form == "text" or not source.strip() else {"kind": form, "source": source}


def _instance(desk: Desk, one: ModelCard) -> None:
    """The same model a second time, with other settings: it begins as a copy of what is shown."""
    t = desk.ui.t
    if one.backend != "llamacpp":
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(t("models_config.new"), key=desk.key("instance"), help=t("models_config.new_help"), width=240,
                      max_chars=40, placeholder="2048")  # fmt: skip
        st.button(t("models_config.new_button"), icon=":material/add:", key=desk.key("instance.add"),
                  on_click=desk.teach, args=(lambda now: _add(now, one),))  # fmt: skip


def _add(desk: Desk, one: ModelCard) -> str:
    """Raises BadInput for a name that is none."""
    engine = desk.ui.engine
    name = instance_id(one.model, str(desk.get("instance") or "").strip().lower())
    kept = engine.configurations.get(one.id)
    if kept.empty:  # a configuration that says nothing is none, and an instance is its configuration
        kept = Configuration.from_dict({"load": {"context": one.window or engine.settings.window}})
    instances.configure(engine, name, kept, desk.ui.person.role)
    st.session_state[desk.key("instance")] = ""
    return desk.ui.t("models_config.added", name=name)
