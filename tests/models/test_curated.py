"""The short list of models."""

from __future__ import annotations

import pytest

from engine.errors import UnknownModel
from engine.models.curated import curated, curated_model
from engine.models.gguf_header import QUANTIZATIONS
from engine.models.hub_names import quantization, reference


def test_every_row_can_be_asked_for_and_says_its_licence() -> None:
    for row in curated():
        assert reference(row.repository) == (row.repository, None)
        assert row.licence and row.quantization in QUANTIZATIONS.values()
        assert row.file is None or quantization(row.file) == row.quantization
        if row.size_bytes and row.parameters:  # from 2 to 18 bits a weight
            assert 0.25 < row.size_bytes / (row.parameters * 1e6) < 2.25, row.id


def test_it_holds_what_the_course_needs() -> None:
    rows = curated()
    families = {row.family for row in rows}
    assert {"SmolLM2", "Qwen", "Gemma", "Llama", "Mistral"} <= families
    assert {row.use for row in rows} == {"chat", "embedding", "reranking"}
    assert {"smollm2-135m-instruct", "smollm2-360m-instruct", "smollm2-1.7b-instruct"} <= {row.id for row in rows}


def test_a_row_is_found_by_its_id() -> None:
    assert curated_model("Qwen3-0.6B").wanted == "Qwen3-0.6B-Q8_0.gguf"
    with pytest.raises(UnknownModel, match="there are smollm2"):
        curated_model("gpt-7")
