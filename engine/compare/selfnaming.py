"""Whether an answer gives away which model wrote it. Words only; knows no vote.

Such an answer is not blind, and its vote does not count (FastChat's rule). A mention of another model is none of it,
unless the answer introduces itself so.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

SHORTEST = 3  # letters of a name that counts
# Those who make models and what they call them, but for words that mean something else more often
_KNOWN = frozenset(
    {
        *("alibaba", "anthropic", "bard", "chatglm", "chatgpt", "claude", "cohere", "deepseek", "gemini", "gemma"),
        *("glm", "google", "gpt", "grok", "groq", "huggingface", "kimi", "llama", "meta", "microsoft", "minimax"),
        *("mistral", "mixtral", "moonshot", "nvidia", "olmo", "openai", "qwen", "smollm", "vicuna", "xai"),
    }
)
_FIRST_PERSON = r"(?:i am|i'm|i was|my name is|call me|je suis|je m'appelle|mon nom est|j'ai été)"
# What stands between "I am" and a name in an introduction; anything else, and it speaks of something else
_BETWEEN = (
    r"(?:[\s,:«»\"*_-]|\b(?:an?|the|une?|le|la|large|grand|language|de|langage|models?|modèle|chat|ai|ia|virtual|"
    r"assistant|chatbot|called|named|nommée?|appelée?|based|on|basé|sur|intelligence|artificielle?|trained|made|built|"
    r"created|developed|designed|entraînée?|créée?|développée?|conçue?|by|from|par|of|chez|d'))*"
)


def names_itself(text: str, names: Iterable[str] = ()) -> bool:
    """Whether the answer says which model it is: one of these names or a part of it that tells, or "I am …", "je suis
    …" before a known one.
    """
    said = _plain(text)
    own = sorted({part for name in names for part in _parts(name)}, key=len, reverse=True)
    if own and re.search(rf"(?<!\w)(?:{'|'.join(map(re.escape, own))})(?!\w)", said):
        return True
    return _introduction().search(said) is not None


@cache
def _introduction() -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){_FIRST_PERSON}{_BETWEEN}\b(?:{'|'.join(sorted(_KNOWN))})(?!\w)")


def _parts(name: str) -> set[str]:
    """The name, and those of its parts that tell by themselves: "smollm2-135m-instruct" is smollm2 and smollm too. The
    name of an instance is a person's own word and tells nothing.
    """
    whole = re.sub(r"\s*\([^)]*\)$", "", _plain(name).partition("@")[0]).strip()
    last = whole.rpartition("/")[2]
    found = {whole, last, re.sub(r"[-_]", " ", last)}
    for word in re.split(r"[^\w.]+", whole):
        letters = re.match(r"[^\W\d_]*", word)
        family = letters[0] if letters else ""
        found |= {one for one in (word, family) if one in _KNOWN}
        if len(family) > SHORTEST and word != family:  # a word with its version: qwen2.5, smollm2
            found.add(word)
    return {one for one in found if len(one) >= SHORTEST}


def _plain(text: str) -> str:
    """Small letters, one kind of apostrophe, nothing invisible between them."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return "".join(sign for sign in folded if unicodedata.category(sign) != "Cf")
