"""Endpoints that the teacher types: which rows are taken, whose key goes where, what answers, and what listens here."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from engine import connection, far
from engine.endpoints import Endpoints
from engine.engine import Engine
from engine.errors import AccessDenied, BadInput, NotFound, ServerFailed, TimedOut, Unauthorized, Unreachable
from engine.far_jobs import start_order
from engine.providers import Provider, provider, providers
from engine.rag.embedders import embedder
from engine.settings import Settings, secret
from engine.store import Store
from engine.types import Message
from engine.values import Values
from tests.patience import SOON_S
from tests.standins.lmstudio_server import lmstudio_standin
from tests.standins.ollama_server import OllamaStandIn, ollama_standin
from tests.standins.openai_server import KEY, OpenAIStandIn, openai_standin

ADDRESSES = {"public.example": ["93.184.216.34"], "inside.example": ["93.184.216.34", "10.0.0.7"]}


@pytest.fixture
def values(tmp_path: Path) -> Iterator[Values]:
    with closing(Store(f"sqlite:///{tmp_path / 'a.sqlite3'}")) as store:
        yield Values(store)


@pytest.fixture
def endpoints(values: Values) -> Endpoints:
    def resolver(host: str, port: int) -> list[str]:
        return ADDRESSES.get(host, [host])

    return Endpoints(values, private_hosts=frozenset({"10.0.0.9:8080"}), resolver=resolver)


@pytest.fixture
def ollama() -> Iterator[OllamaStandIn]:
    with ollama_standin() as server:
        yield server


@pytest.fixture
def desk() -> Iterator[Engine]:
    with closing(Engine(Settings(model="echo"))) as opened:
        yield opened


def test_a_typed_row_is_kept_edited_and_forgotten(endpoints: Endpoints, values: Values) -> None:
    endpoints.add({"id": "room", "name": "Room 3", "base_url": "http://10.0.0.7:8080/v1", "like": "llama-server"})
    row = endpoints.add({"id": "room", "key_env": "ATELIER_ROOM_KEY", "window": 4096})
    assert (row.base_url, row.key_env, row.window, row.local) == (
        "http://10.0.0.7:8080/v1",
        "ATELIER_ROOM_KEY",
        4096,
        True,
    )
    assert "min_p" in row.params and "prompt_progress" in row.quirks  # as a llama.cpp server's
    again = Endpoints(values).row("room")
    assert again == row and list(Endpoints(values).typed()) == ["room"]
    endpoints.remove("room")
    assert "room" not in endpoints.rows() and values.get("local", "endpoints") is None
    with pytest.raises(NotFound):
        endpoints.remove("room")


def test_a_row_of_the_file_can_be_moved_and_comes_back(endpoints: Endpoints) -> None:
    endpoints.add({"id": "ollama", "base_url": "http://192.168.1.5:11434/v1"})
    assert endpoints.row("ollama").native == "ollama" and endpoints.row("ollama").base_url.startswith("http://192")
    endpoints.remove("ollama")
    assert endpoints.row("ollama") == provider("ollama")


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"id": "Room", "base_url": "http://h/v1"}, "id"),
        ({"id": "endpoint", "base_url": "http://h/v1"}, "id"),
        ({"id": "room"}, "base_url"),
        ({"id": "room", "base_url": "http://h/v1", "colour": "red"}, "colour"),
        ({"id": "room", "base_url": "http://h/v1", "api_key": KEY}, "api_key"),
        ({"id": "room", "base_url": "http://h/v1", "key_env": "PATH"}, "key_env"),
        ({"id": "room", "base_url": "http://h/v1", "key_env": "HF_TOKEN"}, "key_env"),
        ({"id": "room", "base_url": "https://api.openai.com/v1", "key_env": "AWS_SECRET_ACCESS_KEY"}, "key_env"),
        ({"id": "room", "base_url": "http://h/v1", "key_env": "ATELIER_KEY"}, "key_env"),
        ({"id": "room", "base_url": "http://h/v1", "key_env": "OPENAI_API_KEY"}, "key_env"),
        ({"id": "openai", "base_url": "https://evil.example/v1"}, "key_env"),
        ({"id": "room", "base_url": "http://h/v1", "key_env": "LLAMA_API_KEY"}, "key_env"),
        ({"id": "azure", "base_url": "https://a.openai.azure.com.evil.example/openai/v1/"}, "key_env"),
    ],
)
def test_rows_that_are_refused(endpoints: Endpoints, fields: dict[str, Any], what: str) -> None:
    with pytest.raises(BadInput) as refused:
        endpoints.add(fields)
    assert refused.value.details["what"] == what
    assert endpoints.typed() == {} and KEY not in str(refused.value.to_dict())


@pytest.mark.parametrize("url", ["ftp://h/v1", "http://u:p@h/v1", "http://{HOME}.evil.example/v1", "http://h/v1?k=1"])
def test_addresses_that_are_none(endpoints: Endpoints, url: str) -> None:
    for fields in ({"base_url": url}, {"base_url": "http://h/v1", "addresses": (url,)}):
        with pytest.raises(BadInput, match="an endpoint is written"):
            endpoints.add({"id": "room", **fields})


def test_a_resource_of_ones_own_keeps_its_variable(endpoints: Endpoints) -> None:
    row = endpoints.add({"id": "azure", "base_url": "https://caen.openai.azure.com/openai/v1/"})
    assert row.key_env == "AZURE_OPENAI_API_KEY" and row.token_field == "max_completion_tokens"


def test_students_change_and_test_nothing_of_the_teachers(endpoints: Endpoints) -> None:
    with pytest.raises(AccessDenied):
        endpoints.add({"id": "room", "base_url": "https://public.example/v1"}, role="student")
    with pytest.raises(AccessDenied):
        endpoints.remove("room", role="student")
    for row, key in (("ollama", KEY), ("openai", None)):
        with pytest.raises(AccessDenied):
            endpoints.test(row, key, role="student")


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://public.example/v1", True),
        ("https://inside.example/v1", False),  # one of its addresses is private
        ("http://10.0.0.7:8080/v1", False),
        ("http://10.0.0.9:8080/v1", True),  # the one who started the application allowed it
        ("http://127.0.0.1:22/v1", False),
        ("http://localhost:11434/v1", True),  # where detection looks anyway
        ("http://169.254.169.254/latest", False),
        ("http://[::1]:80/v1", False),
    ],
)
def test_addresses_typed_while_others_share_the_machine(endpoints: Endpoints, url: str, taken: bool) -> None:
    fields = {"id": "room", "base_url": "https://public.example/v1", "addresses": (url,)}
    if taken:
        assert endpoints.add(fields, shared=True).public_only
        return
    with pytest.raises(BadInput) as refused:
        endpoints.add(fields, shared=True)
    assert refused.value.details["reason"] == "endpoint_private" and not endpoints.typed()
    assert endpoints.add(fields).addresses == (url,)  # alone one may


def test_a_name_that_changed_its_mind_is_not_asked(endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoints.add({"id": "room", "base_url": "https://public.example/v1"}, shared=True)
    monkeypatch.setitem(ADDRESSES, "public.example", ["127.0.0.1"])
    with pytest.raises(BadInput, match="no public address"):
        endpoints.test("room")


PRIVATE_URLS = ("http://gpu.lan:8000/v1", "http://127.1:8000/v1", "http://localhost.:11434/v1", "http://100.64.1.2/v1",
                "http://10.0.0.9:8080/v1")  # fmt: skip


@pytest.mark.parametrize("url", PRIVATE_URLS)
def test_a_made_up_key_opens_no_private_server_to_a_student(
    endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr("engine.endpoints.test_all", lambda *_: ())
    for name, address in (("gpu.lan", "192.168.1.7"), ("127.1", "127.0.0.1"), ("localhost.", "127.0.0.1")):
        monkeypatch.setitem(ADDRESSES, name, [address])
    row = endpoints.add({"id": "room", "base_url": "https://public.example/v1", "addresses": (url,)})
    with pytest.raises(AccessDenied):
        endpoints.admit(row, KEY, "student")
    with pytest.raises(AccessDenied):
        endpoints.test("room", KEY, role="student")
    endpoints.admit(row, KEY, "teacher")
    endpoints.admit(endpoints.add({"id": "room", "students": True}), None, "student")
    public = endpoints.add({"id": "other", "base_url": "https://public.example/v1"})
    endpoints.admit(public, KEY, "student")


def test_a_made_up_key_opens_neither_its_models_nor_its_embedders(
    desk: Engine, openai_server: OpenAIStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.addresses.socket.getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("192.168.1.7", 0))])
    desk.endpoints.add({"id": "room", "base_url": "http://gpu.lan:8000/v1"})
    with pytest.raises(AccessDenied):
        desk.model("room/plain", KEY, role="student")
    with pytest.raises(AccessDenied):
        embedder("openai:room:plain", desk, key=KEY, role="student")
    assert embedder("openai:room:plain", desk, key=KEY).name == "openai:room:plain"


def test_an_embedder_of_a_row_for_public_addresses_is_asked_at_none_else(
    desk: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = ["93.184.216.34"]
    monkeypatch.setattr("engine.addresses.socket.getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (told[0], 0))])
    desk.endpoints.add({"id": "room", "base_url": "http://public.example/v1"}, shared=True)
    assert embedder("openai:room:plain", desk).name == "openai:room:plain"
    told[0] = "10.0.0.7"
    with pytest.raises(BadInput, match="no public address"):
        embedder("openai:room:plain", desk)


def test_a_key_of_the_secrets_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert secret("ATELIER_ROOM_KEY") is None
    (tmp_path / ".streamlit").mkdir()
    file = tmp_path / ".streamlit" / "secrets.toml"
    file.write_text(f'ATELIER_ROOM_KEY = "{KEY}"\nOPENAI_API_KEY = "of-the-file"\n', encoding="utf-8")
    row = Provider(id="room", name="Room", base_url="https://h.example/v1", key_env="ATELIER_ROOM_KEY")
    assert row.key_of("https://h.example/v1") == KEY and row.key_of("https://other.example/v1") is None
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-environment")
    assert provider("openai").key_of("https://api.openai.com/v1") == "of-the-environment"
    file.write_text("no toml at all", encoding="utf-8")
    assert secret("ATELIER_ROOM_KEY") is None


def test_how_an_openai_endpoint_answers(openai_server: OpenAIStandIn) -> None:
    row = Provider(id="room", name="Room", base_url=openai_server.base_url)
    found = connection.test(row, KEY)
    assert found.problem is None and found.latency_s is not None and [one.id for one in found.models] == ["plain"]
    assert openai_server.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in json.dumps(found.to_dict())
    nobody = connection.test(Provider(id="room", name="Room", base_url="http://127.0.0.1:9/v1"))
    assert isinstance(nobody.problem, Unreachable) and nobody.models == ()


def test_how_ollama_and_lm_studio_answer(ollama: OllamaStandIn) -> None:
    ollama.loaded["plain:latest"] = 2048
    found = connection.test(provider("ollama").model_copy(update={"base_url": ollama.base_url}))
    assert (found.window, found.version) == (2048, "0.33.0")
    assert [one.id for one in found.models if one.loaded] == ["plain:latest"]
    row = provider("lmstudio")
    for version in (3, 4):
        with lmstudio_standin(version=version, token="t-123456789") as studio:
            studio.loaded["other"] = 1024
            at = row.model_copy(update={"base_url": studio.base_url})
            assert connection.test(at, "t-123456789").window == 1024
            assert isinstance(connection.test(at).problem, Unauthorized)


ODD: tuple[Any, ...] = (
    {"models": 5},
    {"models": ["x"]},
    {"models": [{"name": "a", "loaded_instances": ["x"]}]},
    {"models": [{"name": "a", "key": "a", "quantization": "Q4", "loaded_instances": 7}]},
    {"data": [{"id": "a", "state": "loaded", "meta": 5, "max_model_len": [1]}, {"id": {"a": 1}}]},
    {"data": 5},
    [1, None],
    5,
    None,
)


@pytest.mark.parametrize("told", ODD)
@pytest.mark.parametrize("kind", ["ollama", "lmstudio", "vllm"])
def test_answers_of_another_shape_are_a_problem_or_read(kind: str, told: Any) -> None:
    class Odd(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with HTTPServer(("127.0.0.1", 0), Odd) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1"
        found = connection.test(provider(kind).model_copy(update={"base_url": url}))
        server.shutdown()
    assert found.problem is None or isinstance(found.problem, ServerFailed)
    json.dumps(found.to_dict())


def test_whoever_does_not_answer_in_time_has_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    for slow in (lambda *_: {}, lambda calls, _: dict.fromkeys(range(1, len(calls)), connection.Connection("x"))):
        monkeypatch.setattr(connection, "_together", slow)
        found = connection.test_all(Provider(id="room", name="Room", base_url="http://h/v1"), seconds=3.0)
        assert isinstance(found[0].problem, TimedOut) and found[0].address == "http://h/v1"


def test_every_address_of_a_row_is_tested(openai_server: OpenAIStandIn) -> None:
    with openai_standin() as second:
        row = Provider(id="room", name="Room", base_url=openai_server.base_url,
                       addresses=(second.base_url, "http://127.0.0.1:9/v1"))  # fmt: skip
        found = connection.test_all(row)
    assert [one.problem is None for one in found] == [True, True, False]
    assert list(connection.names(found)) == ["plain"]


def test_what_listens_on_this_machine(ollama: OllamaStandIn, openai_server: OpenAIStandIn) -> None:
    port = int(openai_server.base_url.split(":")[2].split("/")[0])
    with lmstudio_standin() as studio:
        studio_port = int(studio.base_url.split(":")[2].split("/")[0])
        places = (("lmstudio", studio_port), ("ollama", ollama.port), ("llama-server", port), ("vllm", 9),
                  ("lmstudio", port), ("ollama", port))  # fmt: skip
        found = connection.detect(places, seconds=SOON_S)
    assert [one.row for one in found] == ["lmstudio", "ollama"]  # and neither of the others' servers is taken for one
    assert [model.id for model in found[0].connection.models] == ["plain", "other"]


@pytest.mark.model
def test_a_llama_server_is_known_by_its_own_route(bare_llama: Any) -> None:
    port = int(bare_llama.address.rsplit(":", 1)[1])
    found = connection.detect((("llama-server", port),), seconds=SOON_S)
    row = provider("llama-server").model_copy(update={"base_url": f"{bare_llama.address}/v1"})
    assert [one.row for one in found] == ["llama-server"]
    assert isinstance(found[0].connection.problem, Unauthorized)  # who listens there wants a key
    assert connection.test(row, bare_llama.key).window == bare_llama.window


def test_a_typed_endpoint_answers_as_a_model(desk: Engine, ollama: OllamaStandIn) -> None:
    desk.endpoints.add({"id": "box", "like": "ollama", "base_url": ollama.base_url, "window": 512})
    card = desk.catalog.card("box/plain")
    assert (card.backend, card.window, card.source) == ("ollama", 512, "box")
    model = desk.model("box/plain")
    result = model.answer([Message("user", "Hi")])
    assert result.text == "Hello from the stand-in." and model.window() == 512
    trace = desk.traces.get(result.trace_id or "", "local")
    assert trace.backend == "ollama" and trace.request["options"]["num_ctx"] == 512
    assert trace.response["server"]["eval_count"] == 5


def test_only_the_teacher_orders_servers_about(desk: Engine) -> None:
    for order in (far.load, far.unload):
        with pytest.raises(AccessDenied):
            order(desk, "ollama/plain", role="student")
    with pytest.raises(AccessDenied):
        list(far.pull(desk, "ollama", "plain", role="student"))


def test_several_addresses_are_one_model(desk: Engine, openai_server: OpenAIStandIn) -> None:
    with openai_standin() as second:
        desk.endpoints.add({"id": "room", "base_url": openai_server.base_url, "addresses": [second.base_url]})
        for _ in range(2):
            assert desk.model("room/plain").answer([Message("user", "Hi")]).text
        assert [len(server.requests) for server in (openai_server, second)] == [1, 1]
    assert desk.model("room/plain").answer([Message("user", "Hi")]).text  # one of them is gone
    assert desk.model("room/plain").answer([Message("user", "Hi")]).text
    members = desk.remotes.members(desk.endpoints.row("room"))
    assert [member.down_s is None for member in members] == [True, False]


def test_students_use_what_the_teacher_opened_to_them(
    desk: Engine, openai_server: OpenAIStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATELIER_ROOM_KEY", KEY)
    desk.endpoints.add({"id": "room", "base_url": openai_server.base_url, "key_env": "ATELIER_ROOM_KEY"})
    with pytest.raises(AccessDenied):
        desk.model("room/plain", role="student")
    desk.endpoints.add({"id": "room", "students": True})
    assert desk.model("room/plain", role="student").answer([Message("user", "Hi")]).text
    assert openai_server.last.headers["Authorization"] == f"Bearer {KEY}"


def test_a_visitors_key_serves_models_too_until_the_endpoint_is_another(
    desk: Engine, openai_server: OpenAIStandIn
) -> None:
    desk.endpoints.add({"id": "room", "base_url": openai_server.base_url, "students": True})
    anne = desk.people.join("Anne", "student").id
    desk.visit_keys.put(anne, "room/plain", KEY)
    desk.model("room/plain", role="student", owner=anne).answer([Message("user", "Hi")], owner=anne)
    assert openai_server.last.headers["Authorization"] == f"Bearer {KEY}"
    assert desk.visit_keys.has(anne, "openai:room:any") and not desk.visit_keys.has(anne, "other/plain")
    stored = [path for path in desk.settings.home.rglob("*") if path.is_file()]
    assert stored and not any(KEY.encode() in path.read_bytes() for path in stored)
    desk.endpoints.add({"id": "room", "base_url": "https://h.example/v1"})
    assert not desk.visit_keys.has(anne, "room/plain")


def test_a_row_that_cannot_be_read_costs_no_other(endpoints: Endpoints, values: Values) -> None:
    endpoints.add({"id": "room", "base_url": "http://h/v1"})
    values.set("local", "endpoints", {**values.get("local", "endpoints"), "of-tomorrow": {"id": "of-tomorrow", "x": 1}})
    assert list(endpoints.typed()) == ["room"]


def test_every_provider_that_is_named_is_there() -> None:
    named = {
        "lmstudio", "ollama", "llama-server", "vllm", "openai", "azure", "mistral", "anthropic", "google", "groq",
        "xai", "alibaba", "perplexity", "openrouter", "together", "vertex", "glama", "replicate",
    }  # fmt: skip
    assert named == set(providers())
    assert {row.id for row in providers().values() if row.price is None} == {"alibaba", "glama"}
    assert all(row.homepage for row in providers().values())


def test_perplexity_is_asked_through_responses(desk: Engine) -> None:
    card = desk.catalog.card("perplexity/sonar")
    assert card.backend == "responses" and desk.model(card.id, KEY).backend.name == "responses"


def test_vertex_is_asked_for_a_list_that_it_has_not(openai_server: OpenAIStandIn) -> None:
    row = Provider(id="vertex", name="V", base_url=openai_server.base_url, quirks=frozenset({"no_model_list"}))
    assert connection.test(row).problem is None and openai_server.last.path == "/v1/chat/completions"


@pytest.mark.parametrize(("variable", "reason"), [("GITHUB_TOKEN", "variable"), ("OPENAI_API_KEY", "key")])
def test_a_row_of_an_older_version_that_names_another_secret_is_refused_where_it_is_used(
    desk: Engine, openai_server: OpenAIStandIn, monkeypatch: pytest.MonkeyPatch, variable: str, reason: str
) -> None:
    monkeypatch.setenv(variable, "sk-hidden-1234")
    desk.endpoints.add({"id": "room", "base_url": openai_server.base_url})
    kept = desk.values.get("local", "endpoints")
    studio = {**kept["room"], "id": "studio", "native": "ollama", "key_env": variable}
    desk.values.set("local", "endpoints", {"room": {**kept["room"], "key_env": variable}, "studio": studio})
    row = desk.endpoints.row("room")
    assert row.key_env == variable and row.key_of(row.base_url) is None  # it is shown, to be mended
    asked = [
        lambda: desk.model("room/plain"),
        lambda: desk.endpoints.test("room"),
        lambda: embedder("openai:room:plain", desk),
        lambda: desk.endpoints.check(row),
        lambda: start_order(desk, "local", "pull", "studio", "plain", role="teacher"),
    ]
    for ask in asked:
        with pytest.raises(BadInput) as refused:
            ask()
        assert refused.value.details["reason"] == f"endpoint_{reason}"
    assert not openai_server.requests
    desk.model("room/plain", KEY).answer([Message("user", "Hi")])  # with a key of one's own it is as good as any
    assert openai_server.last.headers["Authorization"] == f"Bearer {KEY}"
    desk.endpoints.add({"id": "room", "key_env": "ATELIER_ROOM_KEY"})
    assert desk.model("room/plain").answer([Message("user", "Hi")]).text
