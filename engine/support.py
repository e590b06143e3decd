"""What a model's backend does not take, and why: data for controls that are greyed. Knows no sentence.

Reasons are keys of the catalogues, `support.<reason>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from engine.params import PARAMS
from engine.types import Capability

if TYPE_CHECKING:
    from engine.model import Model
    from engine.providers import Provider

# A feature and the capability that it needs
FEATURES: Mapping[str, Capability] = {
    "json_schema": "json_schema",
    "grammar": "grammar",
    "raw": "raw_completion",
    "template": "raw_completion",
    "token_view": "logprobs",
    "vision": "vision",
    "prefill": "exact_prompt",
}
ECHO_TAKES = frozenset({"max_tokens", "stop", "seed"})
REASONS = ("param", "reasoning_model", "echo", "recorded", *FEATURES)


def unsupported(model: Model) -> Mapping[str, str]:
    """Parameters and features (the keys of FEATURES) that this model does not take, each with the key of its reason."""
    missing = {
        feature: f"support.{feature}" for feature, needed in FEATURES.items() if needed not in model.capabilities
    }
    return {**_parameters(model), **missing}


def _parameters(model: Model) -> dict[str, str]:
    if model.card.backend == "echo":
        return {param.name: "support.echo" for param in PARAMS if param.name not in ECHO_TAKES}
    if model.card.backend == "recorded":
        return {param.name: "support.recorded" for param in PARAMS}
    if model.card.endpoint is None:
        return {}
    return _remote(model.card.endpoint.provider, model.card.endpoint.model)


def _remote(provider: Provider, name: str) -> dict[str, str]:
    from engine.backends.openai_compat import REASONING_MODEL

    refused = {param.name: "support.param" for param in PARAMS if param.name not in provider.params}
    if "reasoning_strict" in provider.quirks and REASONING_MODEL.match(name):
        refused |= {param: "support.reasoning_model" for param in provider.params - {"max_tokens"}}
    return refused
