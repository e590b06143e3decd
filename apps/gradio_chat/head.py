"""One folded line above the messages: system prompt, mode, template, form of the answer; and the window's policy.

What its widgets hold becomes the conversation's settings, and back. Knows no event.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from apps.gradio_kit import Ui
from engine.conversation import ChatSettings
from engine.templates import NAMES
from engine.window import POLICIES

SHOWN = 60  # characters of the system prompt in the line
SMALLEST = 16  # tokens of a virtual window
OWN, WRITTEN = "", "*"  # the model's template; the one in the text box
MODES = ("chat", "raw")
KINDS = ("text", "json_schema", "grammar")


def head(ui: Ui, side: str) -> tuple[gr.Accordion, dict[str, Any], dict[str, Any]]:
    """The accordion, its boxes by setting, and the parts that other handlers fill."""
    t = ui.t
    with gr.Accordion(t("chat_head.line"), open=False, elem_id=f"head-{side}") as line:
        boxes: dict[str, Any] = {
            "system": gr.Textbox(label=t("glossary.system.name"), info=t("glossary.system.text"), value="", lines=2,
                                 max_lines=8, placeholder=t("chat_head.system_hint"), elem_id=f"system-{side}"),
        }  # fmt: skip
        added = gr.HTML(elem_classes="atelier-slot")
        presets = _presets(ui, side)
        with gr.Row():
            boxes["mode"] = gr.Radio([(t(f"chat_head.mode_{mode}"), mode) for mode in MODES], value=MODES[0],
                                     label=t("chat_head.mode"), info=t("chat_head.mode_help"))  # fmt: skip
            boxes["template"] = gr.Dropdown(
                [(t("chat_head.template_own"), OWN), *((name, name) for name in NAMES),
                 (t("chat_head.template_written"), WRITTEN)],
                value=OWN, label=t("chat_head.template"), info=t("chat_head.template_help"),
            )  # fmt: skip
            kinds = [(t(f"chat_head.output_{kind}"), kind) for kind in KINDS]
            boxes["output_kind"] = gr.Dropdown(kinds, value=KINDS[0], label=t("chat_head.output"),
                                               info=t("chat_head.output_help"))  # fmt: skip
        boxes["template_text"] = gr.Textbox("", label=t("chat_head.template_text"), lines=4, max_lines=14,
                                            visible="hidden", info=t("chat_head.template_tools"))  # fmt: skip
        preview = gr.Textbox("", label=t("chat_head.template_preview"), interactive=False, lines=2, max_lines=12,
                             visible="hidden")  # fmt: skip
        ready = gr.Dropdown([], label=t("chat_head.output_ready"), visible="hidden", value=None)
        boxes["output_source"] = gr.Textbox("", label=t("chat_head.output_source"), lines=4, max_lines=14,
                                            visible="hidden")  # fmt: skip
        verdict = gr.HTML(elem_classes="atelier-slot")
    return line, boxes, {"added": added, "preview": preview, "ready": ready, "verdict": verdict, **presets}


def _presets(ui: Ui, side: str) -> dict[str, Any]:
    t = ui.t
    with gr.Accordion(t("chat_head.preset_manage"), open=False):
        with gr.Row():
            choose = gr.Dropdown([], label=t("chat_head.preset"), info=t("chat_head.preset_help"), value=None,
                                 elem_id=f"preset-{side}")  # fmt: skip
            name = gr.Textbox("", label=t("chat_head.preset_name"), max_lines=1)
        with gr.Row():
            save = gr.Button(t("chat_head.preset_save"), size="sm", min_width=120)
            drop = gr.Button(t("chat_head.preset_delete"), size="sm", min_width=120)
            export = gr.Button(t("chat_head.preset_export"), size="sm", min_width=120)
            take = gr.UploadButton(t("chat_head.preset_import"), size="sm", min_width=120, file_types=[".json"])
    return {"preset": choose, "preset_name": name, "preset_save": save, "preset_drop": drop,
            "preset_export": export, "preset_import": take}  # fmt: skip


def policy(ui: Ui, side: str) -> tuple[gr.Accordion, dict[str, Any]]:
    """The chooser of what happens when the window overflows, and a smaller window to make it happen."""
    t = ui.t
    with gr.Accordion(policy_line(ui, ChatSettings()), open=False, elem_id=f"policy-{side}") as line:
        named = [(f"{t(f'chat_window.{name}')} – {t(f'chat_window.{name}_help')}", name) for name in POLICIES]
        chooser = gr.Radio(named, value=POLICIES[0], label=t("chat_window.policy"), info=t("chat_window.policy_help"),
                           elem_id=f"policies-{side}")  # fmt: skip
        # An empty gr.Number becomes 0 in the browser
        virtual = gr.Textbox("", label=t("chat_window.virtual"), info=t("chat_window.virtual_help"), max_lines=1,
                             placeholder=t("chat_window.virtual_none"), elem_id=f"virtual-{side}")  # fmt: skip
    return line, {"policy": chooser, "virtual_window": virtual}


def told(boxes: Mapping[str, Any], values: Mapping[Any, Any]) -> dict[str, Any]:
    """The settings that the widgets hold."""
    held = {name: values[box] for name, box in boxes.items()}
    chosen, written = held["template"] or OWN, held.pop("template_text")
    held["template"] = {OWN: None, WRITTEN: written or None}.get(chosen, chosen)
    held["virtual_window"] = _tokens(held["virtual_window"])
    return held


def _tokens(text: str | None) -> int | None:
    digits = "".join(sign for sign in text or "" if sign.isdigit())
    return max(SMALLEST, min(int(digits[:7]), 10**6)) if digits else None


def shown(boxes: Mapping[str, Any], settings: ChatSettings) -> dict[Any, Any]:
    """What the widgets show for these settings."""
    named = settings.template is None or settings.template in NAMES
    values: dict[str, Any] = {
        "system": settings.system,
        "mode": settings.mode,
        "output_kind": settings.output_kind,
        "policy": settings.policy,
        "token_view": settings.token_view,
        "template": (settings.template or OWN) if named else WRITTEN,
        "virtual_window": str(settings.virtual_window or ""),
    }
    updates: dict[Any, Any] = {boxes[name]: value for name, value in values.items()}
    own = "" if named else settings.template
    updates[boxes["template_text"]] = gr.Textbox(own, visible="hidden" if named else True)
    formed = settings.output_kind != "text"
    updates[boxes["output_source"]] = gr.Textbox(settings.output_source, visible=True if formed else "hidden")
    return updates


def line(ui: Ui, settings: ChatSettings) -> str:
    """What is set, in one line."""
    parts, text = [], " ".join(settings.system.split())
    if text:
        short = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
        parts.append(ui.t("chat_head.line_system", text=short))
    if settings.preset:
        parts.append(ui.t("chat_head.line_preset", name=settings.preset))
    on = {"raw": settings.mode == "raw", "template": bool(settings.template), "output": settings.output_kind != "text"}
    parts += [ui.t(f"chat_head.line_{name}") for name, there in on.items() if there]
    return " · ".join(parts) or ui.t("chat_head.line")


def policy_line(ui: Ui, settings: ChatSettings) -> str:
    """What happens when the window overflows, in one line."""
    line = ui.t("gradio.policy_line", policy=ui.t("chat_window.policy"), name=ui.t(f"chat_window.{settings.policy}"))
    if settings.virtual_window:
        line += f" · {ui.t('sidebar.window', window=settings.virtual_window)}"
    return line
