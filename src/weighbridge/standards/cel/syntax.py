"""CEL text to a tree (cel-spec, doc/langdef.md, "Syntax"). Without messages, bytes and the macros that observe absence.

>>> parse('risk.opening.verdict == "no material increase" && !(a.b < 2)').text
'risk.opening.verdict == "no material increase" && !(a.b < 2)'
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

MAX_LENGTH = 4_000
MAX_DEPTH = 40  # brackets inside each other
MAX_HEIGHT = 100  # operations inside each other: "1 + 1 + 1" is two
_MAX_INT = 2**63

RELATIONS = ("<=", ">=", "==", "!=", "<", ">", "in")
MACROS = ("all", "exists", "exists_one", "filter", "map")
_RESERVED = frozenset(
    {"as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package"}
    | {"namespace", "return", "var", "void", "while"}
)
_TOKEN = re.compile(
    r"""(?P<space>(?:\s|//[^\n]*)+)
      | (?P<number>(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?|0[xX][0-9a-fA-F]+|\d+)[uU]?)
      | (?P<string>[rR]?(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
      | (?P<word>[_a-zA-Z][_a-zA-Z0-9]*)
      | (?P<mark>&&|\|\||<=|>=|==|!=|[-+*/%!?:.,()\[\]{}<>])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.DOTALL)
_SIMPLE = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"} | {c: c for c in "\\?\"'`"}


class CelError(ValueError):
    """An expression that cannot be used. `what` says why, `column` (from 1) where in its text."""

    def __init__(self, what: str, at: int) -> None:
        self.what, self.column = what, at + 1
        super().__init__(f"column {self.column}: {what}")


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: bool, int, float, str or None."""

    value: bool | int | float | str | None
    at: int


@dataclass(frozen=True, slots=True)
class Name:
    """A chain of selections from an identifier, `a.b["c"]` as ("a", "b", "c"): evidence, context, or a macro's variable."""

    path: tuple[str, ...]
    at: int

    @property
    def dotted(self) -> str:
        """The name as an author would write it."""
        return dotted(self.path)


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or function over operands; a method's receiver is the first."""

    function: str
    operands: tuple[Node, ...]
    at: int
    method: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A list literal."""

    items: tuple[Node, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Macro:
    """`over.all(variable, body)` and its like; `transform` only for `map` with a filter."""

    macro: str
    over: Node
    variable: str
    body: Node
    transform: Node | None
    at: int


Node: TypeAlias = Literal | Name | Call | Items | Macro


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression's text and tree. `spans` gives each node's part of the text by the node's identity; `steps` is `most_steps` of it."""

    text: str
    root: Node
    spans: dict[int, tuple[int, int]]
    steps: int

    def source(self, node: Node) -> str:
        """Return the part of the text that `node` was read from."""
        start, end = self.spans[id(node)]
        return " ".join(self.text[start:end].split())


def dotted(path: tuple[str, ...]) -> str:
    """Return a path as an author would write it.

    >>> dotted(("elsewhere", "garak", "result", "a/b"))
    'elsewhere.garak.result["a/b"]'
    """
    written = path[0]
    for step in path[1:]:
        written += f".{step}" if re.fullmatch(r"[_a-zA-Z][_a-zA-Z0-9]*", step) else f'["{step}"]'
    return written


def parse(text: str) -> Expression:
    """Return the tree of an expression. Raises `CelError` at the first thing that cannot be read."""
    if len(text) > MAX_LENGTH:
        raise CelError(f"longer than the {MAX_LENGTH:,} characters that a condition may have", MAX_LENGTH)
    parser = _Parser(text)
    root = parser.expression()
    parser.expect_end()
    if _height(root) > MAX_HEIGHT:
        raise CelError(f"more than {MAX_HEIGHT} operations inside each other", 0)
    return Expression(text, root, parser.spans, most_steps(root))


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly below `node`."""
    if isinstance(node, Call):
        return node.operands
    if isinstance(node, Items):
        return node.items
    if isinstance(node, Macro):
        return (node.over, node.body, *((node.transform,) if node.transform else ()))
    return ()


@dataclass(frozen=True, slots=True)
class _List:
    """How large a list can be at most: its length, and what its items are (None: no lists)."""

    length: int
    item: _List | None

    @property
    def size(self) -> int:
        """How many things there are in it, however deep."""
        return self.length * (1 + (self.item.size if self.item else 0))


def most_steps(root: Node) -> int:
    """Return how many steps an expression can take at most, whatever the evidence is: lists are only what an expression writes.

    A bound on the steps really taken would depend on the evidence: with less of it there are fewer, and a condition that was stopped
    might come to its end.

    >>> most_steps(parse("a < 1").root), most_steps(parse("[1, 2, 3].all(x, x < a)").root)
    (3, 14)
    """
    return _cost(root, {})[0]


def _cost(node: Node, variables: Mapping[str, _List | None]) -> tuple[int, _List | None]:
    if isinstance(node, Literal):
        return 1, None
    if isinstance(node, Name):
        return 1, variables.get(node.path[0])
    if isinstance(node, Macro):
        return _cost_of_macro(node, variables)
    parts = [_cost(child, variables) for child in children(node)]
    steps, lists = 1 + sum(one for one, _ in parts), [one for _, one in parts]
    if isinstance(node, Items):
        return steps, _List(len(lists), _larger(lists))
    if node.function == "?:":
        return steps, _larger(lists[1:])
    if node.function == "[]":
        return steps, lists[0].item if lists[0] else None
    steps += sum(one.size for one in lists if one)  # compared, searched, joined
    if node.function == "+" and (there := [one for one in lists if one]):
        return steps, _List(sum(one.length for one in there), _larger([one.item for one in there]))
    return steps, None


def _cost_of_macro(node: Macro, variables: Mapping[str, _List | None]) -> tuple[int, _List | None]:
    steps, over = _cost(node.over, variables)
    length, inner = (over.length if over else 1), {**variables, node.variable: over.item if over else None}
    body, made = _cost(node.body, inner)
    transform = 0
    if node.transform is not None:
        transform, made = _cost(node.transform, inner)
    result = over if node.macro == "filter" else _List(length, made) if node.macro == "map" else None
    return 1 + steps + length * (body + transform), result


def _larger(lists: Iterable[_List | None]) -> _List | None:
    """Return a list that is as large as the largest of these in each way."""
    there = [one for one in lists if one is not None]
    return _List(max(one.length for one in there), _larger([one.item for one in there])) if there else None


def _height(root: Node) -> int:
    height, level = 0, [root]
    while level:
        height += 1
        level = [child for node in level for child in children(node)]
    return height


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            what = "a string that is not closed" if text[at] in "\"'" else f"unexpected {text[at]!r}"
            raise CelError(what, at)
        kind = str(match.lastgroup)
        if kind != "space":
            yield _Token(kind, match[0], at)
        at = match.end()
    yield _Token("end", "", len(text))


class _Parser:
    """Recursive descent, one method a level of precedence."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0
        self._depth = 0
        self.spans: dict[int, tuple[int, int]] = {}

    def expression(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise CelError(f"nested more than {MAX_DEPTH} deep", self._now.at)
        start = self._now
        condition = self._chain(("||",), lambda: self._chain(("&&",), self._relation))
        if self._take("?"):
            then = self._chain(("||",), lambda: self._chain(("&&",), self._relation))
            self._expect(":")
            condition = self._spanned(Call("?:", (condition, then, self.expression()), start.at), start)
        self._depth -= 1
        return condition

    def expect_end(self) -> None:
        if self._now.kind != "end":
            raise CelError(f"unexpected {self._now.text!r}", self._now.at)

    @property
    def _now(self) -> _Token:
        return self._tokens[self._next]

    def _spanned(self, node: Node, start: _Token) -> Node:
        last = self._tokens[self._next - 1]
        self.spans[id(node)] = (start.at, last.at + len(last.text))
        return node

    def _take(self, *texts: str) -> _Token | None:
        token = self._now
        if token.kind in ("mark", "word") and token.text in texts:
            self._next += 1
            return token
        return None

    def _expect(self, text: str) -> None:
        if not self._take(text):
            found = "the end" if self._now.kind == "end" else repr(self._now.text)
            raise CelError(f"expected {text!r}, found {found}", self._now.at)

    def _chain(self, marks: tuple[str, ...], below: object) -> Node:
        assert callable(below)
        start = self._now
        last: Node | None = None
        left: Node = below()
        while mark := self._take(*marks):
            right: Node = below()
            # `a && b && c` is one operation over three: a long one is not a high tree, and no order of evaluation is hidden in it.
            flat = mark.text in ("&&", "||") and isinstance(left, Call) and left.function == mark.text and left is last
            operands = left.operands if flat and isinstance(left, Call) else (left,)
            left = last = self._spanned(Call(mark.text, (*operands, right), mark.at), start)
        return left

    def _relation(self) -> Node:
        return self._chain(RELATIONS, self._sum)

    def _sum(self) -> Node:
        return self._chain(("+", "-"), lambda: self._chain(("*", "/", "%"), self._unary))

    def _unary(self) -> Node:
        start = self._now
        marks: list[_Token] = []
        while mark := self._take("!", "-"):
            if marks and marks[0].text != mark.text:
                raise CelError(f"unexpected {mark.text!r}", mark.at)
            marks.append(mark)
            if len(marks) > MAX_DEPTH:
                raise CelError(f"nested more than {MAX_DEPTH} deep", mark.at)
        if marks and marks[-1].text == "-" and self._now.kind == "number":
            self._next += 1
            node: Node = self._spanned(
                Literal(_number("-" + self._tokens[self._next - 1].text, marks[-1].at), start.at), start
            )
            node = self._selections(node, start)
            marks.pop()
        else:
            node = self._selections(self._primary(), start)
        for mark in reversed(marks):
            node = self._spanned(Call("!" if mark.text == "!" else "neg", (node,), mark.at), start)
        return node

    def _selections(self, node: Node, start: _Token) -> Node:
        count = 0
        while mark := self._take(".", "["):
            count += 1
            if count > MAX_DEPTH:
                raise CelError(f"more than {MAX_DEPTH} selections", mark.at)
            node = self._spanned(self._index(node, mark) if mark.text == "[" else self._selected(node, mark), start)
        return node

    def _index(self, node: Node, mark: _Token) -> Node:
        index = self.expression()
        self._expect("]")
        if isinstance(node, Name) and isinstance(index, Literal) and isinstance(index.value, str):
            return Name((*node.path, index.value), node.at)
        return Call("[]", (node, index), mark.at)

    def _selected(self, node: Node, mark: _Token) -> Node:
        word = self._now
        if word.kind != "word":
            raise CelError("expected a name after '.'", word.at)
        self._next += 1
        if self._take("("):
            if word.text in MACROS:
                return self._macro(node, word)
            return Call(word.text, (node, *self._arguments(")")), word.at, method=True)
        if isinstance(node, Name):
            return Name((*node.path, word.text), node.at)
        raise CelError(f"{word.text!r} cannot be selected here: only evidence and context have parts", mark.at)

    def _macro(self, over: Node, word: _Token) -> Node:
        variable = self._now
        if variable.kind != "word" or variable.text in _RESERVED:
            raise CelError(f"{word.text}() names its variable first", variable.at)
        self._next += 1
        self._expect(",")
        rest = self._arguments(")")
        most = 2 if word.text == "map" else 1
        if not 1 <= len(rest) <= most:
            raise CelError(f"{word.text}() takes a variable and an expression", word.at)
        body, transform = (rest[0], rest[1]) if len(rest) == 2 else (rest[0], None)
        return Macro(word.text, over, variable.text, body, transform, word.at)

    def _arguments(self, close: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self._take(close):
            if found:
                self._expect(",")
                if close == "]" and self._take(close):  # a comma may end a list
                    break
            found.append(self.expression())
        return tuple(found)

    def _primary(self) -> Node:
        token = self._now
        self._next += 1
        if token.kind == "number":
            return self._spanned(Literal(_number(token.text, token.at), token.at), token)
        if token.kind == "string":
            return self._spanned(Literal(_unquoted(token), token.at), token)
        if token.kind == "word":
            return self._spanned(self._word(token), token)
        if token.text == "(":
            inner = self.expression()
            self._expect(")")
            return inner
        if token.text == "[":
            return self._spanned(Items(self._arguments("]"), token.at), token)
        if token.text == "{":
            raise CelError("maps are not used in conditions", token.at)
        self._next -= 1
        raise CelError("ends too early" if token.kind == "end" else f"unexpected {token.text!r}", token.at)

    def _word(self, token: _Token) -> Node:
        if token.text in ("true", "false", "null"):
            return Literal({"true": True, "false": False, "null": None}[token.text], token.at)
        if token.text in _RESERVED or token.text == "in":
            raise CelError(f"{token.text!r} is a reserved word", token.at)
        if self._take("("):
            if token.text == "has":
                raise CelError("has() is refused: a ruling must never get better when evidence is missing", token.at)
            return Call(token.text, self._arguments(")"), token.at)
        if self._now.text == "{" and self._now.kind == "mark":
            raise CelError("messages are not used in conditions", token.at)
        return Name((token.text,), token.at)


def _number(text: str, at: int) -> int | float:
    if text[-1] in "uU":
        raise CelError("unsigned numbers are not used in conditions: leave the u out", at)
    if "x" in text or "X" in text:
        value: int | float = int(text, 16)
    elif any(mark in text for mark in ".eE"):
        value = float(text)
        if value in (float("inf"), float("-inf")):
            raise CelError("a number that is too large", at)
        return value
    else:
        value = int(text) if len(text) < 25 else _MAX_INT
    if not -_MAX_INT <= value < _MAX_INT:
        raise CelError("a number that is too large", at)
    return value


def _unquoted(token: _Token) -> str:
    text = token.text
    raw = text[0] in "rR"
    text = text[1:] if raw else text
    quote = 3 if len(text) >= 6 and text[:3] in ('"""', "'''") else 1
    inner = text[quote:-quote]
    if raw:
        return inner

    def one(match: re.Match[str]) -> str:
        code = match[1] or match[2] or match[3]
        if code or match[4]:
            number = int(code, 16) if code else int(match[4], 8)
            if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
                raise CelError("an escape that is no character", token.at)
            return chr(number)
        if match[5] not in _SIMPLE:
            raise CelError(f"an unknown escape: \\{match[5]}", token.at)
        return _SIMPLE[match[5]]

    return _ESCAPE.sub(one, inner)
