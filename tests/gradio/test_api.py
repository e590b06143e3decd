"""The named endpoints, called as a program calls them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from tests.gradio.conftest import Site


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[Client]:
    opened = Client(site.language("en"), verbose=False)
    yield opened
    opened.close()


def test_only_the_named_endpoints_are_public(client: Client) -> None:
    found = client.view_api(return_format="dict", print_info=False)
    plain = ["/chat", "/count_tokens", "/models", "/render"]
    stored = ["/branch", "/continue", "/conversations", "/export", "/regenerate", "/trace"]
    rhyme = ["/comptine_run", "/comptine_sweep", "/comptine_tokens"]
    documents = ["/documents_ask", "/documents_evaluate", "/documents_index", "/documents_search"]
    inside = ["/sampling_stages", "/sampling_step"]
    quality = ["/quality_perplexity", "/quality_quantizations", "/quality_questions", "/quality_speed"]
    models = [f"/models_{name}" for name in ("list", "card", "ps", "load", "unload", "download")]
    models += ["/endpoints_test", "/keys_create"]
    compared = ["/compare", "/arena_pair", "/arena_vote", "/arena_board", "/prices", "/batch_run", "/replicate_form"]
    compared += ["/replicate_image"]
    every = plain + stored + rhyme + documents + inside + quality + models + compared
    assert sorted(found["named_endpoints"]) == sorted(every)
    assert not found["unnamed_endpoints"]


def test_chat_streams_and_ends_with_statistics(client: Client) -> None:
    updates = list(client.submit("crawl one two three", api_name="/chat"))
    texts = [text for text, _ in updates]
    assert texts == sorted(texts, key=len) and len(set(texts)) >= 3  # it grew
    assert all(result == {} for _, result in updates[:-1])
    text, result = updates[-1]
    assert text == result["text"] == "crawl one two three"
    assert result["outcome"] == "stop" and result["model"] == "echo" and result["trace_id"]
    assert result["stats"]["stopReason"] == "eosFound" and result["stats"]["predictedTokensCount"] == 4


def test_predict_gives_the_last_update(client: Client) -> None:
    text, result = client.predict("hello there", api_name="/chat")
    assert text == "hello there" and result["usage"]["completion_tokens"] == 2


def test_history_and_system_prompt_are_part_of_the_prompt(client: Client) -> None:
    history = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    rendered = client.predict("c", history=history, system="s", api_name="/render")
    assert rendered["prompt"] == "system: s\nuser: a\nassistant: b\nuser: c\nassistant:"
    assert len(rendered["tokens"]) == len(rendered["pieces"])
    counted = client.predict("c", history=history, system="s", api_name="/count_tokens")
    assert counted == {"prompt_tokens": len(rendered["tokens"]), "window": 8192, "model": "echo"}
    _, result = client.predict("c", history=history, system="s", api_name="/chat")
    assert result["usage"]["prompt_tokens"] == counted["prompt_tokens"]


def test_parameters_are_checked_and_used(client: Client) -> None:
    text, result = client.predict("one two three", params={"max_tokens": 2}, api_name="/chat")
    assert text == "one two" and result["stats"]["stopReason"] == "maxPredictedTokensReached"
    with pytest.raises(AppError, match=r"temperature.*bad_parameter"):
        client.predict("x", params={"temperature": 9}, api_name="/chat")


def test_models_tell_their_state(client: Client) -> None:
    rows = {row["id"]: row for row in client.predict(api_name="/models")}
    assert rows["echo"]["state"] == "ready" and rows["echo"]["backend"] == "echo"


@pytest.mark.parametrize(
    ("lang", "sentence"), [("en", "There is no model “nope” here"), ("fr", "Le modèle « nope » n’existe pas ici")]
)
def test_errors_are_sentences_in_the_language_of_the_address(site: Site, lang: str, sentence: str) -> None:
    with pytest.raises(AppError) as caught:
        Client(site.language(lang), verbose=False).predict("x", model="nope", api_name="/chat")
    plain = str(caught.value).replace("\u00a0", " ").replace("\u202f", " ")
    assert sentence in plain and "(unknown_model)" in plain


@pytest.mark.parametrize("history", [[{"role": "user"}], [{"role": "robot", "content": "x"}], ["x"], [{"role": 5}]])
def test_a_bad_history_is_refused(client: Client, history: list[object]) -> None:
    with pytest.raises(AppError, match="bad_input"):
        client.predict("x", history=history, api_name="/chat")


def test_an_answer_that_is_cut_keeps_its_beginning_and_says_why(client: Client) -> None:
    text, result = client.predict("cut one two three four", api_name="/chat")
    assert text == "cut one two"
    assert result["outcome"] == "failed" and result["error"]["code"] == "server_failed"
    assert result["error"]["sentence"].startswith("The model’s server failed")


def test_nothing_but_an_error_when_nothing_was_written(client: Client) -> None:
    with pytest.raises(AppError, match="server_failed"):
        client.predict("refuse this", api_name="/chat")


@pytest.mark.parametrize("text", ["crawl cancelled " + "word " * 400, "read me"])
def test_a_client_that_cancels_frees_the_model(site: Site, client: Client, text: str) -> None:
    job = client.submit(text, api_name="/chat")
    next(iter(job))
    job.cancel()
    assert site.echo.stopped(text)


def test_more_people_than_slots_reach_the_model_together(site: Site) -> None:
    clients = [Client(site.language("en"), verbose=False) for _ in range(4)]
    texts: list[str] = []

    def ask(one: Client, number: int) -> None:
        texts.append(one.predict(f"held {number} " + "w " * 20, api_name="/chat")[0].split()[1])

    threads = [threading.Thread(target=ask, args=pair) for pair in zip(clients, range(4), strict=True)]
    for thread in threads:
        thread.start()
    patience = time.monotonic() + 60
    while site.echo.held < 4 and time.monotonic() < patience:
        time.sleep(0.02)
    together = site.echo.held
    site.echo.release.set()
    for thread in threads:
        thread.join(60)
    assert together == 4
    assert sorted(texts) == ["0", "1", "2", "3"]  # each got its own
