"""Results of measurements as `engine.quality` gives them, shortened."""

from __future__ import annotations

from typing import Any

CARD: dict[str, Any] = {
    "file": "model.gguf", "size_bytes": 90_000_000, "sha256": "a1b2c3d4e5f60718", "quantization": "Q4_1",
    "runtime": {"name": "llama-cpp-python", "version": "0.3.0"}, "threads": 1, "date": "2026-11-21T22:00:00Z",
}  # fmt: skip
TEXT: dict[str, Any] = {
    "perplexity": 18.35, "standard_error": 0.6512, "nats_per_token": 2.9, "bits_per_byte": 0.912, "tokens": 1100,
    "counted": 510, "bytes": 2000, "window": 512, "stride": None, "so_far": [18.0, 18.35], "seconds": 4.2, "card": CARD,
    "own": {"perplexity": 4.0, "standard_error": 0.5, "bits_per_byte": 0.8, "tokens": 2},
    "strip": [["The", 3, None], [" cat", 4, 1.3862943611], ["\n", 1, 0.01]], "whole": True,
}  # fmt: skip
_SPEED = {"pp128": {"avg_ts": 400.0, "stddev_ts": 4.0}, "tg32": {"avg_ts": 60.0, "stddev_ts": 1.0}}
KINDS: dict[str, Any] = {
    "card": CARD,
    "rows": [
        {"quantization": "Q4_1", "file": "m.gguf", "size_bytes": 90_000_000, "bits_per_weight": 5.4, "sha256": "a",
         "speed": _SPEED, "perplexity": 18.35, "perplexity_error": 0.6, "bits_per_byte": 0.9, "base": True},
        {"quantization": "Q2_K", "file": "m.Q2_K.gguf", "size_bytes": 80_000_000, "bits_per_weight": 4.9, "sha256": "b",
         "speed": _SPEED, "perplexity": 24.0, "perplexity_error": 0.9, "ratio": 1.3, "ratio_error": 0.02,
         "mean_kld": 0.21, "mean_kld_error": 0.01, "median_kld": 0.1, "same_top": 0.71, "same_top_error": 0.02,
         "base": False, "reused": False},
        {"quantization": "IQ1_S", "file": "m.IQ1_S.gguf", "base": False,
         "error": {"code": "job_failed", "message": "no matrix", "details": {"reason": "no matrix"}}},
    ],
}  # fmt: skip
_ROW: dict[str, Any] = {
    "n_threads": 1, "n_batch": 2048, "n_ubatch": 512, "type_k": "f16", "type_v": "f16", "n_depth": 0, "stddev_ts": 4.0,
    "model_filename": "model.gguf",
}  # fmt: skip
SPEED: dict[str, Any] = {
    "card": CARD,
    "rows": [
        {**_ROW, "test": "pp128", "n_prompt": 128, "n_gen": 0, "avg_ts": 400.0, "samples_ts": [396.0, 400.0, 404.0]},
        {**_ROW, "test": "tg32", "n_prompt": 0, "n_gen": 32, "avg_ts": 60.0, "samples_ts": [59.0, 60.0, 61.0]},
    ],
}
EVALUATION: dict[str, Any] = {
    "model": "model", "source": "en", "methods": ["likelihood"], "n": 2, "card": CARD, "left_out": [], "chance": 0.25,
    "items_sha256": "c",
    "metrics": {"acc": {"value": 0.5, "low": 0.1, "high": 0.9, "n": 2}},
    "values": {"acc": [1.0, 0.0]},
    "items": [
        {"id": "sky", "kind": "choice", "question": "Sky?", "right": "blue", "text": None, "marks": {"acc": 1.0}},
        {"id": "sea", "kind": "choice", "question": "Sea?", "right": "wet", "text": "dry", "marks": {"acc": 0.0}},
    ],
}  # fmt: skip
