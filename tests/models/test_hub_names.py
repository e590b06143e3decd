"""What names on the hub mean."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.models.hub_names import NAME_MAX, local_name, models_of, quantization, reference
from engine.models.splits import PARTS_MAX


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("Qwen/Qwen3-0.6B-GGUF", ("Qwen/Qwen3-0.6B-GGUF", None)),
        (" Qwen/Qwen3-0.6B-GGUF:Q8_0 ", ("Qwen/Qwen3-0.6B-GGUF", "Q8_0")),
        ("hf.co/a/b:Q4_K_M", ("a/b", "Q4_K_M")),
        ("a/b/sub/x.gguf", ("a/b", "sub/x.gguf")),
        ("https://huggingface.co/a/b", ("a/b", None)),
        ("https://huggingface.co/a/b/tree/main", ("a/b", None)),
        ("https://huggingface.co/a/b/blob/main/Q8/x%20y.gguf", ("a/b", "Q8/x y.gguf")),
        ("https://huggingface.co/a/b/resolve/main/x.gguf?download=true", ("a/b", "x.gguf")),
    ],
)
def test_a_repository_is_written_in_many_ways(written: str, found: tuple[str, str | None]) -> None:
    assert reference(written) == found


@pytest.mark.parametrize("written", ["", "a", "a/", "/b", "a/..", "../b", "a b/c", "a/b?x=1", "a/b c"])
def test_what_is_no_repository_is_refused(written: str) -> None:
    with pytest.raises(BadInput):
        reference(written)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SmolLM2-135M-Instruct-Q4_K_M.gguf", "Q4_K_M"),
        ("smollm2-1.7b-instruct-q8_0.gguf", "Q8_0"),
        ("model.IQ2_XXS.gguf", "IQ2_XXS"),
        ("Q3_K_XL/GLM-4.5-Q3_K_XL-00001-of-00003.gguf", "Q3_K_XL"),
        ("Q8_0/part-00001-of-00003.gguf", "Q8_0"),
        ("gemma-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
        ("bge-m3-FP16.gguf", "F16"),
        ("Qwen2.5-3B.gguf", None),
        ("AQ4_0B.gguf", None),
    ],
)
def test_the_quantization_is_in_the_name(name: str, kind: str | None) -> None:
    assert quantization(name) == kind


def test_parts_are_one_model_and_companions_none() -> None:
    names = [
        "b-00002-of-00002.gguf", "b-00001-of-00002.gguf", "c-00001-of-00003.gguf", "a.gguf", "mmproj-a-f16.gguf",
        "README.md", "a.imatrix.gguf", "d/mmproj.gguf",
    ]  # fmt: skip
    assert models_of(names) == (("a.gguf",), ("b-00001-of-00002.gguf", "b-00002-of-00002.gguf"))


def test_what_a_name_announces_costs_nothing() -> None:
    tracemalloc.start()
    try:
        assert models_of(["a-00001-of-99999.gguf", "b-00000-of-00000.gguf"]) == ()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20
    many = PARTS_MAX + 1
    assert models_of([f"c-{number:05}-of-{many:05}.gguf" for number in range(1, many + 1)]) == ()  # nor loadable here
    assert models_of(["d-00001-of-00002.gguf", "d-00003-of-00002.gguf"]) == ()


@given(st.text(max_size=300))
def test_a_local_name_is_a_name_and_nothing_more(name: str) -> None:
    made = local_name(name)
    assert made and not made.startswith(".") and not set(made) & set("/\\:\0\n") and len(made) <= NAME_MAX
