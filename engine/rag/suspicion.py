"""Text of documents that reads like orders to a model: told, never hidden, and without the marks that a template would
believe. Knows no passage and no language of an interface.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, get_args

# orders             it tells its reader to forget or ignore instructions, or to answer in a certain way
# role               it tells a model who it is or which rules it has
# template_marks     signs by which chat templates part roles; they go into the prompt defused
# delimiter          it imitates the frame that we put around passages
# hidden_characters  characters that nobody sees: they can carry text
# sends_out          an image or link that would carry the conversation to another server
Suspicion = Literal["orders", "role", "template_marks", "delimiter", "hidden_characters", "sends_out"]
SUSPICIONS: tuple[Suspicion, ...] = get_args(Suspicion)

FRAME = "passage"  # the name of the tag around a passage in a prompt
HARMLESS = "\u2039"  # ‹ in place of the first character of a mark

_MARKS = re.compile(
    r"<(?=[|\uff5c][^<>\n]{1,40}[|\uff5c]>)"  # <|im_start|>, <|eot_id|>, DeepSeek's full-width bars
    r"|<(?=/?s>|/?(?:start|end)_of_turn>|(?:bos|eos|pad|unk)>|/?think(?:ing)?>|/?tool_(?:call|response)s?>"
    r"|</?SYS>>|/?SYS>>)"
    r"|\[(?=/?INST\]|/?SYSTEM_PROMPT\]|/?AVAILABLE_TOOLS\]|/?TOOL_(?:CALLS|RESULTS)\])",
    re.IGNORECASE,
)
_FRAMES = re.compile(rf"<(?=\s*/?\s*{FRAME}s?\b)", re.IGNORECASE)
_HIDDEN = re.compile(
    "[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]|[\u200b\u2060-\u2064]{4}"
)  # one alone is a place to break a line
_UNSEEN = re.compile("[\u200b\u2060-\u2064\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
_SENDS_OUT = re.compile(r"!\[[^\]\n]{0,200}\]\(\s*https?://[^)\s]*\?[^)\s]*\)|<img\b[^>]{0,300}https?:", re.IGNORECASE)

_WHAT = r"(?:instructions?|consignes?|directives?|rules?|regles?|prompts?|messages?|ordres?|orders?|context[es]?)"
_EARLIER = (
    r"(?:previous|prior|above|earlier|preceding|foregoing|all|any|your|the|these|those|precedente?s?|ci-dessus|toutes?|"
    r"tous|tes|vos|les|ces|anterieure?s?|of)"
)
_FORGET = (
    r"(?:ignore[rsz]?|disregard|forget|override|bypass|do not follow|don'?t follow|oublie[rsz]?|neglige[rsz]?|"
    r"ne (?:suis|suivez|tiens|tenez) (?:pas|plus)(?: compte)?|passe[rsz]? outre)"
)
_ORDERS = (
    rf"\b{_FORGET}\s+(?:\w+[\s,']+){{0,3}}?(?:{_EARLIER}[\s,']+){{1,4}}(?:\w+[\s,']+){{0,2}}?{_WHAT}\b",
    rf"\b{_FORGET}\s+(?:aux?|des?|d[eu]s?|les|the)?\s*{_WHAT}\s+(?:precedent|ci-dessus|above|before|anterieur)",
    rf"\b{_FORGET}\s+(?:\w+\s+){{0,2}}(?:everything|tout)\s+(?:above|before|ce qui precede|you)",
    r"\b(?:respond|reply|answer|repond[sz]?|repondez|reponds)\s+(?:only|always|just|uniquement|seulement|toujours)\b",
    r"\b(?:do not|don'?t|never|ne) (?:tell|reveal|mention|inform|(?:le )?dis|dites|revele[sz]?|mentionne[sz]?)\b.{0,30}"
    r"\b(?:user|reader|anyone|utilisateur|lecteur|personne)\b",
    r"\b(?:reveal|print|repeat|show|output|affiche[rsz]?|revele[rsz]?|repete[rsz]?)\s+(?:\w+[\s']+){0,2}?"
    r"(?:your|the|tes|vos|ton|votre|le|les)\s+(?:\w+\s+)?"
    r"(?:system prompt|instructions|prompt systeme|consignes|message systeme)\b",
    r"\b(?:new|nouvelles?|updated|important)\s+(?:instructions?|consignes?)\b[^.:\n]{0,40}:",
    r"\b(?:attention|note|message|important)\b[^.\n]{0,20}\b(?:to|for|a|pour|aux?)\s+(?:the\s+|l'|les?\s+)?"
    r"(?:ai|llm|language model|chatbot|ia|modeles? de langage|assistant)\b",
    r"\b(?:send|post|forward|upload|envoie[rsz]?|transmets|transmettez)\b.{0,40}"
    r"\b(?:conversation|password|api key|mots? de passe|cle api|historique)\b.{0,40}\b(?:to|a|vers|https?)\b",
)
_ROLE = (
    r"\byou are (?:now|no longer|henceforth)\b",
    r"\b(?:tu es|vous etes) (?:maintenant|desormais|dorenavant)\b",
    r"\b(?:act|behave|pretend|roleplay) as (?:if you|an? (?:unrestricted|unfiltered|evil|different|ai|assistant))\b",
    r"\b(?:comporte[- ]toi|comportez[- ]vous|agis|agissez) comme (?:si|une? (?:ia|assistant|modele))",
    r"(?:^|\n)\s*(?:#+\s*)?(?:system|systeme|assistant)\s*(?:prompt|message)?\s*:",
    r"\b(?:developer|dan|jailbreak|god) mode\b",
    r"\b(?:from now on|a partir de maintenant|desormais),? (?:you|tu|vous)\b",
)
_ORDERS_RE = re.compile("|".join(_ORDERS))
_ROLE_RE = re.compile("|".join(_ROLE))


def suspicions(text: str) -> tuple[Suspicion, ...]:
    """The codes of what in the text reads like orders to a model, in the order of SUSPICIONS; mostly none.

    By patterns in French and English: a warning to the reader, and no defence against whoever knows them.
    """
    plain = _plain(text)
    found = {
        "orders": _ORDERS_RE.search(plain),
        "role": _ROLE_RE.search(plain),
        "template_marks": _MARKS.search(text),
        "delimiter": _FRAMES.search(text),
        "hidden_characters": _HIDDEN.search(text),
        "sends_out": _SENDS_OUT.search(text),
    }
    return tuple(code for code in SUSPICIONS if found[code])


def defused(text: str) -> str:
    """The text as it goes into a prompt: a template's marks and our own frame are no longer any, what nobody sees is
    gone.
    """
    return _FRAMES.sub(HARMLESS, _MARKS.sub(HARMLESS, _UNSEEN.sub("", text)))


def _plain(text: str) -> str:
    """Small letters without accents and hidden characters, apostrophes and blanks all of one kind; lines stay."""
    seen = _UNSEEN.sub("", text).replace("\u2019", "'")
    letters = unicodedata.normalize("NFKD", seen.casefold())
    return re.sub(r"[^\S\n]+", " ", "".join(one for one in letters if not unicodedata.combining(one)))
