"""Splitting: exact places, whole coverage, overlap as asked, pages and headings, for every kind."""

from __future__ import annotations

import asyncio
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.documents.document import Document, Unit
from engine.errors import BadParameter
from engine.rag.sentences import sentences
from engine.rag.splitting import WordCount, check, pages, spans, split
from engine.rag.values import SPLITTING_KINDS, Chunk, Splitting, Vectors

FRENCH = "Le chat dort sur le tapis. Il rêve de souris, « grises », et M. Dupont le regarde ! "


def count(text: str) -> int:
    """One token for every four characters of a word."""
    return sum(-(-len(word) // 4) for word in text.split())


def words(text: str) -> int:
    return len(text.split())


def paged(*texts: str, name: str = "a.txt", unit: Unit | None = None) -> Document:
    return Document(name, "\n\n".join(text for text in texts if text), texts, (), unit)


def is_right(document: Document, chunks: tuple[Chunk, ...], splitting: Splitting) -> None:
    text = document.text
    covered = [False] * len(text)
    for chunk in chunks:
        assert text[chunk.start : chunk.end] == chunk.text == chunk.text.strip() != ""
        assert chunk.tokens == count(chunk.text) <= splitting.size
        covered[chunk.start : chunk.end] = [True] * (chunk.end - chunk.start)
    assert all(done or char.isspace() for done, char in zip(covered, text, strict=True))
    assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
    assert len({chunk.id for chunk in chunks}) == len(chunks)
    for before, after in pairwise(chunks):
        assert before.start < after.start
        assert before.end < after.end
        assert count(text[after.start : before.end]) <= splitting.overlap


WORDS = st.sampled_from([
    "la", "la", "chat", "maison", "é́tude", "M.", "fin.", "Oui !", "« Non »", "a" * 150, "\n", "\n\n", "\n\n\n", "\t",
    "# Titre", "\n## Sous-titre\n", "\n#\tTab\n", "```", "\n```\n", "def f():\n    return 1\n", "class A:",
    "猫が好き。", "\u2028", "\xa0", "😀😀", "#", "1.5", "https://example.org/" + "x" * 40,
])  # fmt: skip
TEXTS = st.lists(WORDS, max_size=120).map(" ".join) | st.text(max_size=300)


@pytest.mark.parametrize("kind", SPLITTING_KINDS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(texts=st.lists(TEXTS, min_size=1, max_size=3), size=st.integers(16, 60), share=st.floats(0, 0.5),
       unit=st.sampled_from(["page", "slide", None]), name=st.sampled_from(["a.md", "b.py", "c.pdf", "d"]))  # fmt: skip
def test_places_cover_the_whole_and_overlap_as_asked(
    kind: str, texts: list[str], size: int, share: float, unit: Unit | None, name: str
) -> None:
    document = paged(*(text.replace("\r", "\n").strip("\n") for text in texts), name=name, unit=unit)
    splitting = Splitting(kind, size, int(size * share))  # type: ignore[arg-type]
    chunks = split(document, "file", splitting, count)
    is_right(document, chunks, splitting)
    joined = spans(document.text, chunks)
    assert "".join(document.text[span["start"] : span["end"]] for span in joined) == document.text
    for span in joined:
        holding = [chunk.number for chunk in chunks if chunk.start <= span["start"] and span["end"] <= chunk.end]
        assert span["chunks"] == holding


def test_a_text_that_repeats_itself_is_cut_at_its_true_places() -> None:
    text = "la " * 3000
    chunks = split(paged(text.strip()), "f", Splitting("tokens", 100, 20), words)
    assert [chunk.start for chunk in chunks[:3]] == [0, 180, 420]  # 80 new words each, 20 of the one before
    assert {chunk.tokens for chunk in chunks[1:-1]} == {100}
    assert chunks[-1].end == len(text.strip())


def test_the_overlap_is_as_many_tokens_as_asked() -> None:
    chunks = split(paged(FRENCH * 200), "f", Splitting("tokens", 256, 26), words)
    assert all(words(before.text[after.start - before.start :]) == 26 for before, after in pairwise(chunks))


def test_a_short_text_is_one_chunk_even_where_size_less_overlap_would_cut_it() -> None:
    [chunk] = split(paged("mot " * 250), "f", Splitting("tokens", 256, 64), words)
    assert (chunk.tokens, chunk.page, chunk.heading) == (250, None, None)


def test_nothing_gives_nothing() -> None:
    assert split(paged(""), "f", Splitting(), words) == ()
    assert split(paged(" \n \t"), "f", Splitting("sentence"), words) == ()
    assert spans("", ()) == []


def test_sentences_stay_whole() -> None:
    chunks = split(paged(FRENCH * 50), "f", Splitting("sentence", 40, 0), words)
    assert len(chunks) > 10
    assert all(chunk.text.endswith((".", "!")) and chunk.text.startswith(("Le", "Il")) for chunk in chunks)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("M. Dupont dort. Il rêve.", "M. Dupont dort. "),
        ("Il dit : « Oui. » Puis il part.", "Il dit : « Oui. » "),
        ("En 50 av. J.-C. César vint. Il vit.", "En 50 av. J.-C. César vint. "),
        ("Voir p. 12 et art. 3. Fin.", "Voir p. 12 et art. 3. "),
        ("Vraiment ?! Oui…", "Vraiment ?! "),
        ("See Dr. Smith at 3.5 p.m. today. He said “yes.” Then", "See Dr. Smith at 3.5 p.m. today. "),
        ("Un titre\n\nUn texte", "Un titre\n\n"),
        ("猫が好き。犬も。", "猫が好き。"),
    ],
)
def test_a_sentence_ends_where_a_reader_ends_it(text: str, first: str) -> None:
    found = sentences(text)
    assert found[0] == first
    assert "".join(found) == text


def test_a_chunk_has_the_page_of_its_new_text_and_a_sentence_goes_on_over_it() -> None:
    document = paged("un deux trois", "", "quatre cinq", name="a.pdf", unit="page")
    one, two = split(document, "f", Splitting("tokens", 16, 2), words)
    assert (one.page, two.page) == (1, 3)
    assert split(document, "f", Splitting("tokens", 16, 3), words)[1].text == "quatre cinq"  # else it holds chunk one
    assert two.text == "deux trois\n\nquatre cinq"
    assert [(page.number, document.text[page.start : page.end]) for page in pages(document)] == [
        (1, "un deux trois"),
        (3, "quatre cinq"),
    ]


def test_slides_do_not_run_into_each_other() -> None:
    document = paged("# Un\nun deux", "# Deux\ntrois", name="a.pptx", unit="slide")
    chunks = split(document, "f", Splitting("tokens", 16, 4), words)
    assert [(chunk.page, chunk.text, chunk.heading) for chunk in chunks] == [
        (1, "# Un\nun deux", "Un"),
        (2, "# Deux\ntrois", "Deux"),
    ]


MARKDOWN = """Avant tout.

# Guide

## Prêts
Un livre, trois semaines. {long}

```
# pas un titre
```

## Retours
À la boîte.
"""


def test_markdown_is_cut_at_its_headings_and_each_chunk_knows_its_path() -> None:
    document = paged(MARKDOWN.format(long="mot " * 60).strip(), name="a.md")
    chunks = split(document, "f", Splitting("markdown", 40, 8), words)
    assert [chunk.heading for chunk in chunks][:2] == [None, "Guide › Prêts"]
    assert chunks[1].text.startswith("# Guide\n\n## Prêts")  # a heading alone is no chunk
    assert chunks[-1].heading == "Guide › Retours"
    assert chunks[-1].text == "## Retours\nÀ la boîte."  # no overlap over a heading
    assert any("# pas un titre" in chunk.text and chunk.heading == "Guide › Prêts" for chunk in chunks)


def test_headings_are_known_in_every_kind_and_remarks_of_a_program_are_none() -> None:
    text = "# Un\n" + "mot " * 30 + "\n# Deux\n" + "mot " * 30
    found = split(paged(text, name="a.md"), "f", Splitting("tokens", 20, 0), words)
    assert {chunk.heading for chunk in found} == {"Un", "Deux"}
    assert {chunk.heading for chunk in split(paged(text, name="a.py"), "f", Splitting("code", 20, 0), words)} == {None}


def test_code_is_cut_between_functions_and_overlaps_by_lines() -> None:
    code = "\n\n".join(f"def f{number}(x):\n    y = x + {number}\n    return y" for number in range(30))
    chunks = split(paged(code, name="a.py"), "f", Splitting("code", 40, 7), words)
    assert all(re.match(r"(def|y = |return)", chunk.text) for chunk in chunks)
    new = [before.text[after.start - before.start :] for before, after in pairwise(chunks)]
    assert all(text.count("\n") == 1 for text in new)  # the last two lines of the one before
    assert all(code[before.end :].lstrip().startswith("def") for before in chunks[:-1])


def test_the_same_place_has_the_same_name_and_another_splitting_another() -> None:
    document = paged(FRENCH * 30)
    first, again, other = (split(document, "f", Splitting("tokens", size, 5), words) for size in (50, 50, 60))
    assert first == again
    assert not {chunk.id for chunk in first} & {chunk.id for chunk in other}
    assert not {chunk.id for chunk in first} & {chunk.id for chunk in split(document, "g", Splitting(), words)}


def test_a_word_is_counted_once() -> None:
    asked: list[str] = []
    counted = WordCount(lambda word: asked.append(word) or 1)  # type: ignore[func-returns-value]
    for kind in ("tokens", "sentence"):
        split(paged(FRENCH * 100), "f", Splitting(kind, 50, 5), counted)
    assert sorted(asked) == sorted(set(asked))


@pytest.mark.parametrize(
    ("splitting", "name"),
    [
        (Splitting("tokens", 8, 0), "size"),
        (Splitting("tokens", 600, 0), "size"),
        (Splitting("tokens", 100, 60), "overlap"),
        (Splitting("tokens", 100, -1), "overlap"),
        (Splitting("words", 100, 0), "kind"),  # type: ignore[arg-type]
    ],
)
def test_what_an_embedder_cannot_use_is_refused(splitting: Splitting, name: str) -> None:
    with pytest.raises(BadParameter) as refused:
        check(splitting, 512)
    assert refused.value.details["name"] == name
    check(Splitting(), 512)


class Places:
    """An embedder by one letter each: `a` and `b` lie at right angles."""

    name = fingerprint = "places"
    dimensions, tokens_max = 2, 100

    def passages(self, texts: list[str]) -> Vectors:
        return np.stack([self.query(text) for text in texts])

    def query(self, text: str) -> NDArray[np.float32]:
        return np.array([text == "a", text == "b"], np.float32)

    def count(self, text: str) -> int:
        return 1


def test_llama_index_takes_our_embedders() -> None:  # here, since LlamaIndex is loaded here
    from llama_index.core import VectorStoreIndex
    from llama_index.core.schema import TextNode

    from engine.rag.adapters import llama_index_embedding

    adapted = llama_index_embedding(Places())
    index = VectorStoreIndex([TextNode(text="a"), TextNode(text="b")], embed_model=adapted)
    retriever = index.as_retriever(similarity_top_k=1)
    assert [found.text for found in retriever.retrieve("b")] == ["b"]
    assert [found.text for found in asyncio.run(retriever.aretrieve("a"))] == ["a"]
    assert adapted.model_name == "places"
