"""What is greyed for which model, and that both languages say why."""

from __future__ import annotations

from apps.ui.controls import controls
from apps.ui.i18n import LANGUAGES, words
from engine.engine import Engine
from engine.params import PARAMS
from engine.providers import typed_in
from engine.settings import Settings
from engine.support import FEATURES, REASONS, unsupported


def test_reasons_are_said_in_both_languages() -> None:
    for lang in LANGUAGES:
        assert all(words(lang).t(f"support.{reason}") for reason in REASONS)


def test_each_kind_of_model(tmp_path: object) -> None:
    engine = Engine(Settings())
    try:
        engine.catalog.add(typed_in("http://127.0.0.1:9/v1"))
        local, remote = unsupported(engine.model()), unsupported(engine.model("endpoint/m"))
        echo = unsupported(engine.model("echo"))
    finally:
        engine.close()
    assert set(local) <= {"vision"}
    assert {"grammar", "raw", "template", "token_view", "mirostat", "samplers", "prefill"} <= set(remote)
    assert not {"temperature", "max_tokens", "stop", "json_schema"} & set(remote)
    assert echo["temperature"] == "support.echo" and "max_tokens" not in echo
    names = {param.name for param in PARAMS} | set(FEATURES)
    assert all(set(found) <= names for found in (local, remote, echo))


def test_controls_say_why_they_are_greyed() -> None:
    rows = {row.name: row for row in controls("fr", unsupported={"mirostat": "support.param"})}
    assert rows["mirostat"].disabled and rows["mirostat"].reason == words("fr").t("support.param")
    assert not rows["temperature"].disabled and rows["temperature"].reason is None
