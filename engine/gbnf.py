"""GBNF, llama.cpp's notation for grammars: read, judged for cost, and matched against a text. Knows no model.

llama.cpp walks a grammar with a set of stacks in the thread that serves everybody, without a limit of its own. `read`
refuses what would make that set, or the ways through one token, explode: it walks the grammar beforehand.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.errors import BadGrammar

MAX_REPEATS = 2000  # llama.cpp: MAX_REPETITION_THRESHOLD
MAX_DEPTH = 64  # nested parentheses; llama.cpp's parser recurses on a thread's small stack
MAX_ELEMENTS = 50_000
MAX_RULES = 5_000
MAX_STACKS = 200  # each costs a look at the whole vocabulary, for every token
MAX_WAYS = 5_000  # ways to read one token of 16 characters; llama.cpp follows each one
MAX_HEIGHT = 2_000
MAX_WORK = 1_000_000
TOKEN = 16  # characters of a long token
WINDOWS = 10
WALKS = 4
TRIED = 12  # characters tried at each step of the most ambiguous walk

Stack = tuple[int, ...]
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n", "\\": "\\", '"': '"', "[": "[", "]": "]", "-": "-"}
_HEX = {"x": 2, "u": 4, "U": 8}


@dataclass(frozen=True)
class Chars:
    """One character: of these ranges, or of none of them."""

    ranges: tuple[tuple[int, int], ...]
    negated: bool = False

    def has(self, character: int) -> bool:
        """Whether this character matches."""
        return any(low <= character <= high for low, high in self.ranges) != self.negated

    def examples(self) -> list[int]:
        """A few characters that match, the ends of its ranges first."""
        ends = [end for pair in self.ranges for end in pair]
        near = [end + step for end in ends for step in (-1, 1)] + [97, 32, 48, 10, 34]
        return [sign for sign in (near if self.negated else ends) if 0 <= sign < 0x110000 and self.has(sign)][:TRIED]


Element = Chars | int | None  # a character, a rule, the end of an alternative


@dataclass
class Grammar:
    """A read grammar: alternatives lie one behind the other in `elements`; a rule is the places where its own begin."""

    elements: list[Element] = field(default_factory=list)
    rules: list[list[int]] = field(default_factory=list)
    work: int = 0

    def begin(self) -> set[Stack]:
        """The stacks before the first character."""
        out: set[Stack] = set()
        for start in self.rules[0]:
            self._advance(() if self.elements[start] is None else (start,), out)
        return out

    def after(self, stack: Stack, character: int) -> set[Stack]:
        """The stacks that one of them becomes by a character."""
        out: set[Stack] = set()
        top = self.elements[stack[-1]] if stack else None
        if isinstance(top, Chars) and top.has(character):
            self._advance(self._behind(stack), out)
        return out

    def _behind(self, stack: Stack) -> Stack:
        following = stack[-1] + 1
        return stack[:-1] if self.elements[following] is None else (*stack[:-1], following)

    def _advance(self, stack: Stack, out: set[Stack]) -> None:
        todo, seen = [stack], set[Stack]()
        while todo:
            current = todo.pop()
            if current in seen:
                continue
            seen.add(current)
            self.work += 1 + len(current) // 16
            if self.work > MAX_WORK or len(current) > MAX_HEIGHT:
                raise _heavy("it takes too many steps")
            rule = self.elements[current[-1]] if current else None
            if not isinstance(rule, int):
                out.add(current)
                continue
            behind = self._behind(current)
            todo += [behind if self.elements[start] is None else (*behind, start) for start in self.rules[rule]]

    def mismatch(self, text: str) -> int | None:
        """Place of the first character that does not fit, the text's length where more must come; None: all fits."""
        self.work, stacks = 0, self.begin()
        for place, sign in enumerate(text):
            self.work = 0
            stacks = {new for stack in stacks for new in self.after(stack, ord(sign))}
            if not stacks:
                return place
        return None if () in stacks else len(text)


def read(source: str) -> Grammar:
    """The grammar, once it is known to be affordable. Raises BadGrammar."""
    grammar = _Reader(source).grammar()
    _refuse_left_recursion(grammar)
    for seed in range(WALKS):
        _walk(grammar, random.Random(seed) if seed else None)
    return grammar


def _heavy(why: str) -> BadGrammar:
    return BadGrammar(
        f"this grammar is too complex to sample with: {why}", reason="too_complex", line=None, column=None
    )


def _walk(grammar: Grammar, choice: random.Random | None) -> None:
    """Read characters as a model would write them, the most ambiguous ones unless `choice` draws them.

    A token's length without any choice is free, so that nothing hides behind a long beginning.
    """
    stacks, left = grammar.begin(), WINDOWS
    seen: set[frozenset[Stack]] = set()  # since the last choice
    grammar.work = 0
    while left:
        ways: Counter[Stack] = Counter(stacks)
        free = True
        for _ in range(TOKEN):
            if len(ways) > MAX_STACKS:
                raise _heavy(f"more than {MAX_STACKS} places at once")
            signs = _next(grammar, ways, choice)
            free = free and len(signs) < 2
            steps = [_step(grammar, ways, sign) for sign in signs]
            ways = max(steps, key=lambda step: step.total(), default=Counter())
            if ways.total() > MAX_WAYS:
                raise _heavy(f"more than {MAX_WAYS} ways to read one token")
            if not ways:
                return
        stacks, left = set(ways), left - (not free)
        if not free:
            seen.clear()
        elif frozenset(stacks) in seen or grammar.work > MAX_WORK // 4:
            return  # ever the same
        else:
            seen.add(frozenset(stacks))


def _step(grammar: Grammar, ways: Mapping[Stack, int], sign: int) -> Counter[Stack]:
    out: Counter[Stack] = Counter()
    for stack, count in ways.items():
        for new in grammar.after(stack, sign):
            out[new] += count
    return out


def _next(grammar: Grammar, ways: Mapping[Stack, int], choice: random.Random | None) -> list[int]:
    tops = [grammar.elements[stack[-1]] for stack in ways if stack]
    signs = sorted({sign for top in tops if isinstance(top, Chars) for sign in top.examples()})
    if choice is None or len(signs) < 2:
        return signs[:: max(1, len(signs) // TRIED)]
    return [choice.choice(signs)] * 2  # twice: there was a choice


def _refuse_left_recursion(grammar: Grammar) -> None:
    empty, first = _empty(grammar), list[set[int]]()
    for starts in grammar.rules:
        heads: set[int] = set()
        for place in starts:
            while isinstance(rule := grammar.elements[place], int):
                heads.add(rule)
                if rule not in empty:
                    break
                place += 1
        first.append(heads)
    done: set[int] = set()
    for root in range(len(first)):
        path, todo = set[int](), [(root, False)]
        while todo:
            rule, leaving = todo.pop()
            if leaving:
                path.discard(rule)
                done.add(rule)
            elif rule in path:
                raise BadGrammar("a rule begins with itself", reason="left_recursion", line=None, column=None)
            elif rule not in done:
                path.add(rule)
                todo += [(rule, True), *((head, False) for head in first[rule])]


def _empty(grammar: Grammar) -> set[int]:
    """The rules that may stand for no character at all."""
    empty: set[int] = set()
    while True:
        before = len(empty)
        for number, starts in enumerate(grammar.rules):
            if number not in empty and any(_may_end(grammar, place, empty) for place in starts):
                empty.add(number)
        if len(empty) == before:
            return empty


def _may_end(grammar: Grammar, place: int, empty: set[int]) -> bool:
    while isinstance(rule := grammar.elements[place], int) and rule in empty:
        place += 1
    return rule is None


Items = list[Element]


class _Reader:
    """Reads the notation as llama.cpp's parser does, its rewriting of repetitions included."""

    def __init__(self, source: str) -> None:
        self.source, self.at, self.depth = source, 0, 0
        self.names: dict[str, int] = {}
        self.used: dict[str, int] = {}  # name → where it was first asked for
        self.alternatives: list[list[Items] | None] = []
        self.size = 0

    def grammar(self) -> Grammar:
        """The whole source. Raises BadGrammar."""
        self._number("root")
        self._space(lines=True)
        while self.at < len(self.source):
            self._rule()
        if self.alternatives[0] is None:
            raise BadGrammar("there is no rule called root", reason="no_root", line=None, column=None)
        for name, number in self.names.items():
            if self.alternatives[number] is None:
                raise self._wrong(f"there is no rule called {name}", self.used.get(name, 0))
        grammar = Grammar()
        for alternatives in self.alternatives:
            grammar.rules.append([])
            for items in alternatives or ():
                grammar.rules[-1].append(len(grammar.elements))
                grammar.elements += [*items, None]
        return grammar

    def _rule(self) -> None:
        name = self._name()
        self._space()
        self._expect("::=")
        self._space(lines=True)
        self.alternatives[self._number(name)] = self._choices(nested=False)
        if self.at < len(self.source) and self.source[self.at] not in "\r\n":
            raise self._wrong("here the line should end")
        self._space(lines=True)

    def _choices(self, *, nested: bool) -> list[Items]:
        found = [self._sequence(nested)]
        while self._peek() == "|":
            self.at += 1
            self._space(lines=True)
            found.append(self._sequence(nested))
        return found

    def _sequence(self, nested: bool) -> Items:
        items: Items = []
        last, weight = 0, 1  # where the item begins that a repetition would repeat, and the rules within it
        while (sign := self._peek()) and sign not in "|)\r\n":
            if sign in "*+?{":
                weight = self._repeated(items, last, weight, *self._times())
            else:
                last, before = len(items), len(self.alternatives)
                items += self._item(sign)
                weight = max(1, len(self.alternatives) - before)
            self._grow(0)
            self._space(lines=nested)
        return items

    def _item(self, sign: str) -> Items:
        if sign == '"':
            return self._literal()
        if sign == "[":
            return [self._class()]
        if sign == ".":
            self.at += 1
            return [Chars((), negated=True)]
        if sign == "(":
            return [self._group()]
        if _is_word(sign):
            place, name = self.at, self._name()
            self.used.setdefault(name, place)
            return [self._number(name)]
        if sign in "<!":
            raise self._wrong("tokens are not allowed here, only characters")
        raise self._wrong(f"{sign!r} means nothing here")

    def _literal(self) -> Items:
        self.at += 1
        items: Items = []
        while self._peek() != '"':
            sign = self._character()
            items.append(Chars(((sign, sign),)))
        self.at += 1
        self._grow(len(items))
        return items

    def _class(self) -> Chars:
        self.at += 1
        negated = self._peek() == "^"
        self.at += negated
        ranges: list[tuple[int, int]] = []
        while self._peek() != "]":
            low = high = self._character()
            if self._peek() == "-" and self.source[self.at + 1 : self.at + 2] not in ("", "]"):
                self.at += 1
                high = self._character()
            ranges.append((low, high))
        self.at += 1
        self._grow(len(ranges) + 1)
        return Chars(tuple(ranges), negated)

    def _group(self) -> int:
        place, number = self.at, self._new()
        self.at, self.depth = self.at + 1, self.depth + 1
        if self.depth > MAX_DEPTH:
            raise self._wrong(f"more than {MAX_DEPTH} parentheses within each other")
        self._space(lines=True)
        self.alternatives[number] = self._choices(nested=True)
        if self._peek() != ")":
            raise self._wrong("this parenthesis is never closed", place)
        self.at, self.depth = self.at + 1, self.depth - 1
        return number

    def _times(self) -> tuple[int, int | None]:
        sign = self.source[self.at]
        self.at += 1
        if sign != "{":
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        low = self._integer()
        high: int | None = low
        if self._peek() == ",":
            self.at += 1
            self._space(lines=True)
            high = self._integer() if self._peek().isdecimal() else None
        self._expect("}")
        return low, None if high is not None and high > MAX_REPEATS else high

    def _repeated(self, items: Items, last: int, weight: int, low: int, high: int | None) -> int:
        """Rewrite the last item: S{2,4} becomes S S T with T ::= S U | nothing, U ::= S | nothing."""
        one = items[last:]
        if not one:
            raise self._wrong("there is nothing to repeat before this")
        total = weight * (high or low or 1)
        if low > MAX_REPEATS or total >= MAX_REPEATS or (high is not None and high < low):
            raise self._wrong("too many repetitions")
        self._grow(len(one) * (low + (1 if high is None else high - low)))
        items[last:] = one * low
        following: int | None = None
        for _ in range(1 if high is None else high - low):
            number = self._new()
            again = number if high is None else following
            self.alternatives[number] = [[*one, *([] if again is None else [again])], []]
            following = number
        if following is not None:
            items.append(following)
        return total

    def _character(self) -> int:
        sign = self._peek()
        if not sign:
            raise self._wrong("the text ends too early")
        self.at += 1
        if sign != "\\":
            return ord(sign)
        kind = self._peek()
        self.at += 1
        if kind in _ESCAPES:
            return ord(_ESCAPES[kind])
        digits = self.source[self.at : self.at + _HEX.get(kind, 0)]
        try:
            value = int(digits, 16) if len(digits) == _HEX.get(kind) and digits.isalnum() else -1
        except ValueError:
            value = -1
        if not 0 <= value < 0x110000:
            raise self._wrong("unknown escape", self.at - 2)
        self.at += len(digits)
        return value

    def _name(self) -> str:
        start = self.at
        while _is_word(self._peek()):
            self.at += 1
        if start == self.at:
            raise self._wrong("here a rule's name should stand")
        return self.source[start : self.at]

    def _integer(self) -> int:
        self._space(lines=True)
        start = self.at
        while "0" <= self._peek() <= "9":
            self.at += 1
        if not 0 < self.at - start < 10:
            raise self._wrong("here a number should stand")
        found = int(self.source[start : self.at])
        self._space(lines=True)
        return found

    def _space(self, *, lines: bool = False) -> None:
        while (sign := self._peek()) and (sign in " \t#" or (lines and sign in "\r\n")):
            self.at += 1
            while sign == "#" and self._peek() not in ("", "\r", "\n"):
                self.at += 1

    def _expect(self, text: str) -> None:
        if not self.source.startswith(text, self.at):
            raise self._wrong(f"here {text} should stand")
        self.at += len(text)

    def _peek(self) -> str:
        return self.source[self.at : self.at + 1]

    def _number(self, name: str) -> int:
        if name not in self.names:
            self.names[name] = self._new()
        return self.names[name]

    def _new(self) -> int:
        if len(self.alternatives) >= MAX_RULES:
            raise _heavy(f"more than {MAX_RULES} rules")
        self.alternatives.append(None)
        return len(self.alternatives) - 1

    def _grow(self, elements: int) -> None:
        self.size += elements + 1
        if self.size > MAX_ELEMENTS:
            raise _heavy(f"more than {MAX_ELEMENTS} elements")

    def _wrong(self, why: str, place: int | None = None) -> BadGrammar:
        before = self.source[: self.at if place is None else place]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        text = f"line {line}, column {column}: {why}"
        return BadGrammar(text, reason=why, line=line, column=column)


def _is_word(sign: str) -> bool:
    return sign.isascii() and (sign.isalnum() or sign == "-")
