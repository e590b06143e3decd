"""The course's chain is executed: against the stand-in of a server, and against our own /v1."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine import Params
from engine.catalog import Endpoint, ModelCard
from engine.compare import Side
from engine.compare.snippet import chain_snippet
from engine.errors import NotSupported, UnknownModel
from engine.providers import Provider, typed_in
from tests.marks import marks_in
from tests.standins.app_server import AppServer, app_server
from tests.standins.openai_server import KEY, OpenAIStandIn

NASTY = "'\"\"\" {user_question} {{x}} \\ \\n \n\t $(id) é 漢 🧒 \u2028 # '''"


@pytest.fixture(scope="module")
def served() -> Iterator[AppServer]:
    """The application on this machine alone, with the echo: no key is needed there."""
    with app_server() as server:
        yield server


def run(script: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What the program prints."""
    assert not marks_in(script)
    capsys.readouterr()
    exec(compile(script, "chain.py", "exec"), {})
    return capsys.readouterr().out


def far(server: OpenAIStandIn, model: str = "plain", row: Provider | None = None) -> ModelCard:
    row = row or typed_in(server.base_url)
    return ModelCard(f"{row.id}/{model}", model, "openai_compat", endpoint=Endpoint(row, server.base_url, model))


def test_the_chain_asks_the_stand_in_as_the_side_is_set(
    openai_server: OpenAIStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    params = Params(temperature=0.2, max_tokens=4, seed=5, stop=("END",))
    side = Side("endpoint/plain", params, f"Be brief. {NASTY}")
    text = chain_snippet(side, NASTY, card=far(openai_server), history=[("hi {you}", "hello")])
    assert "chain = prompt | llm | StrOutputParser()" in text and "chain.stream(" in text
    assert run(text, capsys) == "Hello from the stand-in"
    sent = openai_server.requests[-1].body
    assert [(message["role"], message["content"]) for message in sent["messages"]] == [
        ("system", f"Be brief. {NASTY}"), ("user", "hi {you}"), ("assistant", "hello"), ("user", NASTY),
    ]  # fmt: skip
    assert sent["stream"] is True and sent["model"] == "plain"
    assert (sent["temperature"], sent["max_tokens"], sent["stop"]) == (0.2, 4, ["END"])


def test_the_key_comes_from_the_rows_own_variable(
    openai_server: OpenAIStandIn, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LENT_API_KEY", KEY)
    row = Provider(id="lent", name="Lent", base_url=openai_server.base_url, key_env="LENT_API_KEY",
                   token_field="max_completion_tokens")  # fmt: skip
    text = chain_snippet(Side("lent/plain", Params(max_tokens=2)), "hi", card=far(openai_server, row=row))
    assert 'os.environ.get("LENT_API_KEY", "none")' in text and "placeholder" in text and "system" not in text
    assert run(text, capsys) == "Hello from"
    assert openai_server.requests[-1].headers["Authorization"] == f"Bearer {KEY}"
    assert "max_tokens" not in openai_server.requests[-1].body


def test_the_chain_asks_our_own_api(served: AppServer, capsys: pytest.CaptureFixture[str]) -> None:
    address = f"http://127.0.0.1:{served.port}/v1"
    side = Side("echo", Params(max_tokens=3, top_k=7), "Be brief.")
    assert run(chain_snippet(side, "one two three four", address=address), capsys) == "one two three"
    assert run(chain_snippet(Side("echo"), NASTY, address=address, key_variable=None), capsys) == NASTY


def test_only_what_was_said_goes_to_our_own_api() -> None:
    text = chain_snippet(Side("smollm2-135m-instruct", Params(min_p=0.1, max_tokens=-1)), "hi")
    assert "extra_body={'min_p': 0.1}" in text and "temperature" not in text and "max_tokens" not in text
    assert "http://localhost:8501/v1" in text and 'os.environ.get("ATELIER_KEY", "none")' in text


def test_rows_that_are_known_need_no_card() -> None:
    text = chain_snippet(Side("mistral/mistral-small-latest"), "hi")
    assert "https://api.mistral.ai/v1" in text and "MISTRAL_API_KEY" in text and "model='mistral-small-latest'" in text
    assert "use_responses_api=True" in chain_snippet(Side("perplexity/sonar"), "hi")


@pytest.mark.parametrize("model", ["recorded/smollm2-q8", "replicate/meta/meta-llama-3-8b-instruct"])
def test_what_speaks_no_such_protocol_has_no_chain(model: str) -> None:
    with pytest.raises(NotSupported):
        chain_snippet(Side(model), "hi")
    with pytest.raises(UnknownModel):
        chain_snippet(Side("nobody/model"), "hi")
