"""Pictures in words and values: how far one is, what stands under it, the models and examples of the tab, the file to
save. Knows no widget and no framework.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from apps.ui.compare_figures import cost_text, price_note
from apps.ui.i18n import Words
from apps.ui.present import Progress
from engine.compare import PICTURE_MODELS
from engine.errors import BadInput
from engine.replicate_form import Field

if TYPE_CHECKING:
    from engine.compare import Look

EXAMPLES = ("lighthouse", "poster", "robot")
IN_SIGHT = 4  # fields that are not folded
KEPT = 6  # works in a gallery
ROW = "replicate/"
NAME_MAX = 200
ACCEPTED = ("png", "jpg", "jpeg", "webp", "gif")  # files that a model may be given


def model_id(text: str) -> str:
    """The id of a model as it was chosen or typed, with or without "replicate/". Raises BadInput."""
    name = text.strip().removeprefix("https://").removeprefix("replicate.com/")
    if not name or len(name) > NAME_MAX or "/" not in name:
        raise BadInput("a model of Replicate is called owner/name", what="model", reason="replicate_name")
    return name if name.count("/") > 1 else f"{ROW}{name}"


def example_model() -> str:
    """The model that the examples ask."""
    return PICTURE_MODELS[0]


def parts(fields: Sequence[Field]) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
    """What is in sight, and what is folded: required fields first, then the model's own order."""
    sight = max(IN_SIGHT, sum(field.required for field in fields))
    return tuple(fields[:sight]), tuple(fields[sight:])


def help_of(field: Field, words: Words) -> str:
    """The model's own sentence on a field, and its bounds."""
    bounds = ""
    if field.low is not None and field.high is not None:
        bounds = words.t("compare_images.bounds", low=f"{field.low:g}", high=f"{field.high:g}")
    return " ".join(filter(None, (field.help, bounds)))


def progress(look: Look, words: Words) -> Progress:
    """How far it is, in a sentence, with the share that the model's own log tells."""
    seconds = words.number(look.elapsed, 0)
    return Progress(words.t(f"compare_images.{look.status}", seconds=seconds), look.progress)


def under(look: Look, words: Words) -> str:
    """The line under the pictures: how many, how long, what was billed, what it cost."""
    told = [words.n("compare_images.count", len(look.pictures)), f"{words.number(look.elapsed, 1)} s"]
    if look.billed is not None:
        told.append(words.t("compare_images.billed", seconds=words.number(look.billed, 2)))
    if look.cost.total is not None:
        told.append(cost_text(look.cost, words))
    return " · ".join([*told, price_note(look.cost, words)])


def made_with(look: Look) -> str:
    """What the model was given, by its own names: the prompt and what did not stand at its default."""
    return " · ".join(f"{name}: {value}" for name, value in look.given.items())


def alt(look: Look, number: int, words: Words) -> str:
    """The text in place of a picture."""
    prompt = str(look.given.get("prompt") or look.model)[:200]
    return words.t("compare_images.alt", number=number, prompt=prompt)


def gallery_html(looks: Sequence[Look], words: Words) -> str:
    """The newest first: pictures, each with its text, the line under them, what it was made with, all escaped."""
    return "".join(_work(look, words) for look in reversed(looks))


def _work(look: Look, words: Words) -> str:
    shown = "".join(
        f'<img src="{picture.url}" alt="{_esc(alt(look, number, words))}" style="max-width:min(100%,24rem);'
        'height:auto;border-radius:6px">'
        for number, picture in enumerate(look.pictures, 1)
    )
    return (
        f'<figure style="margin:0 0 1rem"><div style="display:flex;flex-wrap:wrap;gap:.5rem">{shown}</div>'
        f"<figcaption><strong>{_esc(look.model)}</strong> · {_esc(under(look, words))}<br>"
        f'<span style="overflow-wrap:anywhere">{_esc(made_with(look))}</span></figcaption></figure>'
    )


def given(fields: Sequence[Field], held: Mapping[str, Any]) -> dict[str, Any]:
    """What a form holds, the names that the model has alone."""
    return {field.name: held[field.name] for field in fields if field.name in held}


def _esc(text: str) -> str:
    return html.escape(text, quote=True)
