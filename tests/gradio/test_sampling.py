"""The samplers in the Gradio mirror: the real model seen from inside, by the named endpoints and in the tab."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from apps.ui.sampling import recipe_of
from engine.backends.base import Backend
from engine.catalog import BUNDLED, ModelCard
from engine.engine import Engine
from engine.params import Params
from engine.sampling.telling import explored
from tests.gradio.conftest import EchoEngine, Site, serving

pytestmark = pytest.mark.model
FRANCE = "The capital of France is"


class PlainEngine(EchoEngine):
    """The backends as they are."""

    def _backend(self, card: ModelCard) -> Backend:
        return Engine._backend(self, card)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("sampling")
    with serving(home, PlainEngine, model=BUNDLED, prepare=False, window=256, threads=1, slots=2) as running:
        yield running


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[Client]:
    opened = Client(site.language("en"), verbose=False)
    yield opened
    opened.close()


def test_stages_are_those_of_the_engine(client: Client, site: Site) -> None:
    told = client.predict(FRANCE, {"seed": 7}, "huggingface", top=3, api_name="/sampling_stages")
    head, steps = explored(site.engine, site.engine.model(), FRANCE, recipe_of(Params(seed=7), "huggingface"), top=3)
    assert told == {**head, "steps": list(steps)}
    assert [stage["name"] for stage in told["steps"][0]["stages"]][:3] == ["raw", "penalties", "temperature"]
    assert told["steps"][0]["stages"][0]["top"][0]["text"] == "␣Paris" and not told["top_n_only"]


def test_steps_write_what_the_darts_hit(client: Client) -> None:
    updates = list(client.submit(FRANCE, 3, {"seed": 7, "top_k": 1}, api_name="/sampling_step"))
    text, told = updates[-1]
    assert text.startswith(" Paris") and len(told["tokens"]) == 3 and told["seed"] == 7
    assert text == "".join(one["text"] for one in told["tokens"])
    assert all(one["begin"] == 0.0 and one["end"] == 1.0 and one["survivors"] == 1 for one in told["tokens"])
    assert all(not known for _, known in updates[:-1])
    form = {"kind": "grammar", "source": 'root ::= "no"'}
    _, told = client.predict(FRANCE, 5, **form, api_name="/sampling_step")
    assert "".join(one["text"] for one in told["tokens"]).startswith("no")


def test_what_cannot_be_asked_is_a_sentence(client: Client) -> None:
    wrong = [({"order": "mine"}, "bad_input"), ({"params": {"top_p": 3}}, "bad_parameter"),
             ({"text": "word " * 400}, "prompt_too_long"), ({"model": "nope"}, "unknown_model"),
             ({"kind": "grammar", "source": "root ::= ("}, "bad_grammar")]  # fmt: skip
    for given, code in wrong:
        with pytest.raises(AppError, match=code):
            client.predict(**{"text": FRANCE, **given}, api_name="/sampling_stages")
    with pytest.raises(AppError, match="bad_input"):
        client.predict(FRANCE, 100_000, api_name="/sampling_step")


def test_a_model_elsewhere_tells_its_likeliest_tokens_alone(client: Client) -> None:
    told = client.predict("hello there", model="echo", api_name="/sampling_stages")
    assert told["top_n_only"] and told["ids"] is None and told["steps"][0]["wrote"] == "hello"
