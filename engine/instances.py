"""Configure models, and load and unload them and their named instances; in a second process the application does it.

Knows no interface. Only the teacher may change anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from engine.errors import AccessDenied, NotFound, UnknownModel
from engine.models.configuration import Configuration, instance_id, split
from engine.ps import Loaded, application, loaded, loaded_here

if TYPE_CHECKING:
    from engine.engine import Engine

Role = Literal["teacher", "student"]


def configure(engine: Engine, model_id: str, configuration: Configuration, role: Role = "teacher") -> str:
    """Keep the configuration, and give the id that it is kept under: an alias becomes the model's own id, and
    "model@name" a new instance where there is none.

    How it is loaded counts from its next loading on, everything else at once. Raises UnknownModel, BadInput,
    BadTemplate, BadGrammar, BadParameter.
    """
    _teacher(role)
    own = _id(engine, model_id)
    _check(configuration)
    engine.configurations.put(own, configuration)
    return own


def remove(engine: Engine, model_id: str, role: Role = "teacher") -> None:
    """Forget the configuration; an instance is unloaded and gone. Raises NotFound where nothing is kept."""
    _teacher(role)
    own = _id(engine, model_id)
    if not engine.configurations.remove(own):
        raise NotFound(f"nothing is kept for {own}", what="configuration", key=own)
    if split(own)[1] is not None and any(one.id == own for one in loaded(engine)):
        unload(engine, own, role)


def load(engine: Engine, model_id: str, role: Role = "teacher") -> Loaded | None:
    """The model or instance, once it is loaded; None for one that is not loaded here, such as a remote one.

    In a second process the running application loads it; without one it is loaded in this process, as long as that
    lives. Raises UnknownModel, LoadFailed and its like.
    """
    _teacher(role)
    card = engine.catalog.card(model_id)
    if card.backend != "llamacpp":
        return None
    app = application(engine)
    if app is not None:
        app.post("/load", {"model": card.id})
    else:
        runtime = engine.runtime(card.id)
        for _ in runtime.ready() if runtime else ():
            pass
    return next((one for one in loaded(engine) if one.id == card.id), None)


def unload(engine: Engine, model_id: str, role: Role = "teacher") -> bool:
    """Whether it was loaded; its memory is free now. Raises UnknownModel for one that is neither loaded nor known."""
    _teacher(role)
    there = {one.id for one in loaded(engine)}
    own = model_id if model_id in there else engine.catalog.card(model_id).id
    if own not in there:
        return False
    app = application(engine)
    if app is not None and not any(one.id == own for one in loaded_here(engine)):
        app.post("/unload", {"model": own})
    else:
        unload_here(engine, own)
    return True


def unload_here(engine: Engine, model_id: str) -> None:
    """End the workers of that model in this process; an embedder's, which is no model of the catalogue, too."""
    engine.unload(model_id)
    for runtime in engine.runtimes.running():
        if runtime.wishes.alias == model_id:
            runtime.stop()


def _teacher(role: Role) -> None:
    if role != "teacher":
        raise AccessDenied("models are the teacher's to configure, load and unload", role="teacher")


def _id(engine: Engine, model_id: str) -> str:
    """The id to keep something under. Raises UnknownModel, BadInput for an instance's name."""
    try:
        return engine.catalog.card(model_id).id
    except UnknownModel:
        model, sign, name = model_id.rpartition("@")
        if not sign:
            raise
        return instance_id(engine.catalog.card(model).id, name)


def _check(configuration: Configuration) -> None:
    """Raises BadTemplate, BadGrammar: template and schema are tried before anybody depends on them."""
    from engine.output import Output
    from engine.templates import render
    from engine.types import Message

    if configuration.prompt.template:
        render(configuration.prompt.template, [Message("user", "?")])
    if configuration.output:
        Output(configuration.output.kind, configuration.output.source).check()
