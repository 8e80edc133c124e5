"""Follows a pickle's opcodes with their stack and memo, as CPython's `_pickle.c` does, and runs nothing.

Values are symbols: a `Global` is a name and is never looked up, a `Call` is what would be called with what. Containers keep what can
matter (globals, calls, persistent ids, nested containers, and the first few of anything else), so memory is bounded however often a
stream repeats itself. Where the stream is broken the machine stops and says where; what it would have run before that counts.

Source: CPython 3.12, Modules/_pickle.c and Lib/pickletools.py (the opcodes and their arguments).
"""

from __future__ import annotations

import re
import struct
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from weighbridge.probes.checkpoint.examine import Context
from weighbridge.probes.checkpoint.source import Source

KEPT_TEXT = 2048  # longer texts are not kept: no module or name is so long
KEPT_ITEMS = 64  # of plain values in one container; what matters is kept beyond
MAX_KEPT = 200_000  # of what matters in one container
MAX_MEMO = 1_500_000
HIGHEST_PROTOCOL = 5
MAX_PROBLEMS = 100
MAX_NESTED = 100_000
MAX_DEPTH = 8  # pickles within pickles (joblib's object arrays)
_WINDOW = 1 << 20
_IDENTIFIER = re.compile(r"[A-Za-z_][\w.]*\Z")
_KEPT_LINE, _LONGEST_LINE = 1 << 16, 1 << 28


@dataclass(frozen=True, slots=True)
class Global:
    """A name that would be imported: `module.name`. `offset` is where its opcode is."""

    module: str
    name: str
    offset: int

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"

    def is_named(self) -> bool:
        """Whether the names are spelled as names are; what a text happens to read as is not."""
        return bool(_IDENTIFIER.match(self.module) and _IDENTIFIER.match(self.name))


@dataclass(slots=True)
class Call:
    """What would be called, with what. `how` is the opcode; `state` is what BUILD would set, `items` what would be put into it."""

    callable: Any
    arguments: Any
    how: str
    offset: int
    state: Any = None
    items: dict[Any, Any] | None = None


@dataclass(frozen=True, slots=True)
class Persistent:
    """What a loader's `persistent_load` would be given; torch names storages so."""

    value: Any


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes in the stream that are not kept: where they are in the source."""

    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class LongText:
    """A text in the stream that is not kept: where its bytes are. `escaped` is whether they are a line with raw escapes."""

    offset: int
    size_bytes: int
    escaped: bool = False


class _Unknown:
    """A plain value that does not matter: a number, a long text."""

    def __repr__(self) -> str:
        return "..."


UNKNOWN = _Unknown()


@dataclass
class PickleResult:
    """One pickle: where it begins and ends, what it would make, what it would import and call, and what is wrong with it.

    `problems` are (offset, what): broken stream, odd frames. `whole` is whether its STOP was reached. `arrays` are raw arrays that
    joblib puts into the stream: (offset, size, dtype code, shape). `dynamic` are offsets at which a global's name is computed.
    `shared` counts containers that are used again.
    `plain` is whether this is another reading of the stream: what an unpickler does that takes joblib's arrays for opcodes.
    """

    start: int
    end: int = 0
    root: Any = None
    whole: bool = False
    protocol: int = 0
    globals: list[Global] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    built: list[tuple[int, Any]] = field(default_factory=list)
    persistents: list[Persistent] = field(default_factory=list)
    dynamic: list[int] = field(default_factory=list)
    extensions: list[tuple[int, int]] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)
    arrays: list[tuple[int, int, str, tuple[int, ...]]] = field(default_factory=list)
    inner: list[PickleResult] = field(default_factory=list)
    plain: bool = False
    shared: int = 0

    def every(self) -> Iterator[PickleResult]:
        """Yield this pickle and those within it."""
        yield self
        for inner in self.inner:
            yield from inner.every()


class Broken(Exception):
    """The stream cannot be followed any further; CPython would raise here."""


class _Stream:
    """Reads a source forwards through a window."""

    def __init__(self, source: Source, offset: int) -> None:
        self.source, self.buffer, self.base, self.at = source, b"", offset, 0

    @property
    def offset(self) -> int:
        return self.base + self.at

    def need(self, size: int) -> bytes:
        """Return the window with at least `size` bytes from `at` on. Raises `Broken` at the end."""
        if self.at + size > len(self.buffer):
            self.base += self.at
            self.at = 0
            self.buffer = self.source.read(self.base, max(_WINDOW, size))
            if len(self.buffer) < size:
                raise Broken("ends in the middle")
        return self.buffer

    def take(self, size: int) -> bytes:
        buffer = self.need(size)
        data = buffer[self.at : self.at + size]
        self.at += size
        return data

    def skip(self, size: int) -> Raw:
        raw = Raw(self.offset, size)
        if size > self.source.size_bytes - self.offset:
            raise Broken(f"says that {size:,} bytes follow, more than there are")
        if self.at + size <= len(self.buffer):
            self.at += size
        else:
            self.base, self.at, self.buffer = self.offset + size, 0, b""
        return raw

    def line(self) -> bytes:
        """Return a line without its end. Of a very long one the beginning and the last two bytes: enough for every opcode."""
        end = self.buffer.find(b"\n", self.at)
        if end < 0:
            return self._long_line()
        data = self.buffer[self.at : end]
        self.at = end + 1
        return data

    def _long_line(self) -> bytes:
        start, kept, last = self.offset, b"", b""
        at = start
        while at - start < _LONGEST_LINE and (window := self.source.read(at, _WINDOW)):
            end = window.find(b"\n")
            piece = window if end < 0 else window[:end]
            if len(kept) < _KEPT_LINE:
                kept += piece[: _KEPT_LINE - len(kept)]
            last = (last + piece)[-2:]
            at += len(piece)
            if end >= 0:
                self.base, self.at, self.buffer = at + 1, 0, b""
                return kept if at - start <= _KEPT_LINE else kept + last
        raise Broken("a line without an end")


_U16, _U32, _U64, _I32 = struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<Q"), struct.Struct("<i")
_MATTERS = (Global, Call, Persistent, Raw, list, dict, tuple)


def read_pickle(source: Source, offset: int, context: Context, depth: int = 0) -> PickleResult:
    """Follow one pickle of `source` from `offset` on. Raises only `Spent`, when the context's allowance is used up."""
    result = PickleResult(offset)
    stream = _Stream(source, offset)
    machine = _Machine(stream, result, context, depth)
    try:
        machine.run()
    except Broken as broken:
        result.problems.append((stream.offset, str(broken)))
    finally:
        result.end = stream.offset
    return result


class _Machine:
    def __init__(self, stream: _Stream, result: PickleResult, context: Context, depth: int) -> None:
        self.stream, self.result, self.context, self.depth = stream, result, context, depth
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.frame_end: int | None = None
        self.seen: set[tuple[str, str]] = set()

    def run(self) -> None:
        """Follow opcodes until STOP. The commonest come first: this loop is where the time goes."""
        stream, stack, memo, result = self.stream, self.stack, self.memo, self.result
        allowance = self.context.allowance
        spent = 0
        while True:
            if stream.at + 16 > len(stream.buffer):
                stream.need(1)
            spent += 1
            if spent == 4096:
                allowance.step(spent)
                spent = 0
                if len(memo) > MAX_MEMO:
                    allowance.step(allowance.steps + 1)
            op = stream.buffer[stream.at]
            stream.at += 1
            if op == 0x94:  # MEMOIZE
                if not stack:
                    raise Broken("memoizes an empty stack")
                memo[len(memo)] = stack[-1]
            elif op == 0x71:  # BINPUT
                self._put(stream.take(1)[0])
            elif op == 0x58:  # BINUNICODE
                self._text(_U32.unpack(stream.take(4))[0])
            elif op == 0x8C:  # SHORT_BINUNICODE
                self._text(stream.take(1)[0])
            elif op == 0x4B:  # BININT1
                stack.append(stream.take(1)[0])
            elif op == 0x68:  # BINGET
                self._get(stream.take(1)[0])
            elif op == 0x72:  # LONG_BINPUT
                self._put(_U32.unpack(stream.take(4))[0])
            elif op == 0x6A:  # LONG_BINGET
                self._get(_U32.unpack(stream.take(4))[0])
            elif op == 0x47:  # BINFLOAT
                stream.take(8)
                stack.append(UNKNOWN)
            elif op == 0x28:  # MARK
                self.marks.append(len(stack))
                if len(self.marks) == MAX_NESTED:
                    self.odd(f"nests more than {MAX_NESTED:,} levels")
            elif op == 0x52:  # REDUCE
                arguments = self._pop()
                self._call(self._pop(), arguments, "REDUCE")
            elif op == 0x2E:  # STOP
                allowance.step(spent)
                self._stop()
                return
            elif op == 0x95:  # FRAME
                self._frame(_U64.unpack(stream.take(8))[0])
            else:
                handler = _HANDLERS.get(op)
                if handler is None:
                    stream.at -= 1
                    raise Broken(f"an unknown opcode {op:#04x}")
                handler(self)
            if len(stack) > 4_000_000:
                allowance.step(allowance.steps + 1)
            if self.frame_end is not None and stream.base + stream.at >= self.frame_end:
                if stream.base + stream.at > self.frame_end:
                    result.problems.append((stream.offset, "a frame ends in the middle of an opcode"))
                self.frame_end = None

    def odd(self, what: str, offset: int | None = None) -> None:
        """Note what some unpickler refuses, and go on: another may not, and what follows counts then."""
        if len(self.result.problems) < MAX_PROBLEMS:
            self.result.problems.append((self.stream.offset if offset is None else offset, what))

    # -- stack

    def _pop(self) -> Any:
        floor = self.marks[-1] if self.marks else 0
        if len(self.stack) <= floor:
            raise Broken("takes more from the stack than is on it")
        return self.stack.pop()

    def _top(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise Broken("takes more from the stack than is on it")
        return self.stack[-1]

    def _to_mark(self) -> list[Any]:
        if not self.marks:
            raise Broken("a mark is missing")
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _put(self, index: int) -> None:
        if not self.stack:
            raise Broken("memoizes an empty stack")
        self.memo[index] = self.stack[-1]

    def _get(self, index: int) -> None:
        if index not in self.memo:
            raise Broken(f"the memo has no entry {index}")
        value = self.memo[index]
        if isinstance(value, list | dict | tuple):
            self.result.shared += 1
        self.stack.append(value)

    # -- values

    def _text(self, size: int) -> None:
        if size > KEPT_TEXT:
            raw = self.stream.skip(size)
            self.stack.append(LongText(raw.offset, size))
            return
        offset, data = self.stream.offset, self.stream.take(size)
        try:
            self.stack.append(data.decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError:
            self.odd("holds a text that is not UTF-8", offset)
            self.stack.append(data.decode("utf-8", "replace"))

    def _bytes(self, size: int) -> None:
        self.stack.append(self.stream.skip(size))

    def _long(self, size: int) -> None:
        if size > 64:
            self.stream.skip(size)
            self.stack.append(UNKNOWN)
        else:
            self.stack.append(int.from_bytes(self.stream.take(size), "little", signed=True))

    # -- globals and calls

    def _find(self, module: Any, name: Any) -> None:
        offset = self.stream.offset
        if not isinstance(module, str) or not isinstance(name, str):
            if any(part is None or isinstance(part, int | list | dict | tuple) for part in (module, name)):
                self.stack.append(UNKNOWN)
                self.result.problems.append((offset, "a global's name that is no text"))
                return
            self.result.dynamic.append(offset)
            self.stack.append(Global("?", "?", offset))
            return
        if self.result.protocol < 3:  # as the unpickler does with `fix_imports`
            if (module, name) in NAME_MAPPING:
                module, name = NAME_MAPPING[module, name]
            elif module in IMPORT_MAPPING:
                module = IMPORT_MAPPING[module]
        found = Global(module, name, offset)
        if (module, name) not in self.seen:
            self.seen.add((module, name))
            self.result.globals.append(found)
            self.context.allowance.step()
        self.stack.append(found)

    def _call(self, callable_: Any, arguments: Any, how: str) -> None:
        if (
            isinstance(callable_, Persistent)
            and isinstance(callable_.value, tuple)
            and callable_.value[:1] == ("module",)
        ):
            # torch's legacy format: a class, with its source text, which torch only compares.
            callable_ = callable_.value[1] if len(callable_.value) > 1 else callable_
        if _is(callable_, "dill._dill", "_load_type") and isinstance(arguments, tuple):
            self._find("dill._dill._load_type", arguments[0] if arguments else None)  # a type by dill's name for it
            return
        call = Call(callable_, arguments, how, self.stream.offset)
        if len(self.result.calls) < MAX_KEPT:
            self.result.calls.append(call)
        else:
            self.context.allowance.step(self.context.allowance.steps + 1)
        self.stack.append(call)

    def _build(self) -> None:
        state, target = self._pop(), self._top()
        if isinstance(target, Call):
            target.state = state
            if _is(target.callable, "joblib.numpy_pickle", "NumpyArrayWrapper"):
                self._joblib_array(state)
        else:
            self.result.built.append((self.stream.offset, target))

    def _joblib_array(self, state: Any) -> None:
        """Skip the array that joblib writes behind its wrapper: padding, then the values; or a pickle for objects."""
        facts = state if isinstance(state, dict) else {}
        shape, dtype = facts.get("shape"), facts.get("dtype")
        code = dtype_code(dtype)
        if code is None or not isinstance(shape, tuple) or not all(isinstance(each, int) for each in shape):
            raise Broken("an array in the stream whose type or shape is not understood")
        if self.depth >= MAX_DEPTH:
            return
        if code.lstrip("<>|=").startswith("O"):
            if self.frame_end == self.stream.offset:
                self.frame_end = None
            self._read_on_plainly()
            inner = read_pickle(self.stream.source, self.stream.offset, self.context, self.depth + 1)
            self.result.inner.append(inner)
            if not inner.whole:
                raise Broken("an array of objects whose pickle is broken")
            self.stream.base, self.stream.at, self.stream.buffer = inner.end, 0, b""
            return
        if self.frame_end == self.stream.offset:  # joblib ends its frame before the array
            self.frame_end = None
        size = item_bytes(code)
        for each in shape:
            size = min(size * max(each, 0), 1 << 62)
        if facts.get("numpy_array_alignment_bytes") is not None:
            self._read_on_plainly()
            self.stream.skip(self.stream.take(1)[0])
        else:
            self._read_on_plainly()
        raw = self.stream.skip(size)
        self.result.arrays.append((raw.offset, size, code, shape))

    def _read_on_plainly(self) -> None:
        """Follow an array's bytes as opcodes too: only joblib skips them, a plain unpickler reads on."""
        if self.depth >= MAX_DEPTH or _next_byte(self.stream) not in _OPCODES:
            return
        plain = PickleResult(self.stream.offset, protocol=self.result.protocol, plain=True)
        stream = _Stream(self.stream.source, self.stream.offset)
        machine = _Machine(stream, plain, self.context, MAX_DEPTH)
        machine.stack, machine.marks, machine.memo = self.stack[:], self.marks[:], dict(self.memo)
        with suppress(Broken):
            machine.run()
        plain.end = stream.offset
        if any(each.is_named() for each in plain.globals):
            plain.problems = [(plain.start, "goes on within what joblib takes for an array")]
            self.result.inner.append(plain)

    def _frame(self, size: int) -> None:
        if self.frame_end is not None:
            self.result.problems.append((self.stream.offset, "a frame within a frame"))
        self.frame_end = self.stream.offset + size
        if self.frame_end > self.stream.source.size_bytes:
            self.result.problems.append((self.stream.offset, "a frame that says it is longer than the file"))
            self.frame_end = None

    def _stop(self) -> None:
        if not self.stack:
            raise Broken("stops with an empty stack")
        self.result.root = self.stack[-1]
        self.result.whole = True
        if self.frame_end is not None and self.stream.offset != self.frame_end:
            self.result.problems.append((self.stream.offset, "a frame that says it is longer than it is"))


def expanded_size(root: Any, most: int) -> int:
    """Return how many values a walk through `root` meets that follows shared parts each time, at most about `most`.

    Containers that hold themselves count once more. A value of a few bytes in the stream can stand for billions.
    """
    sizes: dict[int, int] = {}
    left: list[tuple[Any, bool]] = [(root, False)]
    while left:
        value, done = left.pop()
        inner = _inner(value)
        if done:
            sizes[id(value)] = min(most, 1 + sum(sizes.get(id(each), 1) for each in inner))
        elif id(value) not in sizes:
            sizes[id(value)] = 1
            left.append((value, True))
            left += [(each, False) for each in inner if isinstance(each, list | dict | tuple) and id(each) not in sizes]
    return sizes[id(root)]


def _inner(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else []


def _next_byte(stream: _Stream) -> int:
    return (stream.source.read(stream.offset, 1) or b"\0")[0]


def _is(value: Any, module: str, name: str) -> bool:
    return isinstance(value, Global) and value.module == module and value.name == name


def dtype_code(value: Any) -> str | None:
    """Return numpy's code of a pickled dtype ("f8", "<U10", "O8", "V12"), or None."""
    if not isinstance(value, Call) or not isinstance(value.arguments, tuple) or not value.arguments:
        return None
    code = value.arguments[0]
    if not isinstance(code, str) or not 1 <= len(code) <= 16:
        return None
    state = value.state
    order = state[1] if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|", "=") else ""
    return order + code


def item_bytes(code: str) -> int:
    """Return the bytes of one element. Raises `Broken` for a code that is not understood.

    >>> item_bytes("<f8"), item_bytes("U10"), item_bytes("b1")
    (8, 40, 1)
    """
    kind, digits = code.lstrip("<>|=")[:1], code.lstrip("<>|=")[1:]
    if kind not in "?bBiufcmMSUVa" or not digits.isdigit() or len(digits) > 9:
        raise Broken(f"an element type that is not understood: {code!r}")
    return int(digits) * (4 if kind == "U" else 1)


# -- opcodes that are rarer; each takes the machine


def _append(machine: _Machine) -> None:
    value = machine._pop()
    _extend(machine._top(), [value])


def _appends(machine: _Machine) -> None:
    items = machine._to_mark()
    _extend(machine._top(), items)


def _extend(target: Any, items: list[Any]) -> None:
    if isinstance(target, list):
        for item in items:
            if len(target) < KEPT_ITEMS or (isinstance(item, _MATTERS) and len(target) < MAX_KEPT):
                target.append(item)


def _setitem(machine: _Machine) -> None:
    value, key = machine._pop(), machine._pop()
    _update(machine._top(), [key, value])


def _setitems(machine: _Machine) -> None:
    items = machine._to_mark()
    _update(machine._top(), items)


def _update(target: Any, items: list[Any]) -> None:
    if len(items) % 2:
        raise Broken("a key without a value")
    if isinstance(target, Call):  # an OrderedDict or the like
        target.items = target = {} if target.items is None else target.items
    if isinstance(target, dict):
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | int) or isinstance(key, bool):
                key = f"key {len(target)}"
            if len(target) < KEPT_ITEMS or (isinstance(value, _MATTERS) and len(target) < MAX_KEPT):
                target[key] = value


def _line_int(machine: _Machine) -> None:
    line = machine.stream.line()
    if line in (b"00", b"01"):
        machine.stack.append(line == b"01")
        return
    # CPython reads it as C's strtol does: nothing is 0, a leading 0 means octal.
    text = line.strip()
    if not text:
        machine.stack.append(0)
    elif re.fullmatch(rb"[+-]?0[0-7]+", text):
        machine.stack.append(int(text, 8))
    else:
        machine.stack.append(_number(machine, text, 0))


def _line_long(machine: _Machine) -> None:
    machine.stack.append(_number(machine, machine.stream.line().removesuffix(b"L"), 0))


def _number(machine: _Machine, line: bytes, base: int) -> Any:
    if len(line) > 400:
        return UNKNOWN
    try:
        return int(line, base)
    except ValueError:
        machine.odd("holds a number that is none")
        return UNKNOWN


def _line_float(machine: _Machine) -> None:
    try:
        float(machine.stream.line())
    except ValueError:
        machine.odd("holds a number that is none")
    machine.stack.append(UNKNOWN)


def _line_string(machine: _Machine) -> None:
    offset, line = machine.stream.offset, machine.stream.line().strip()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        machine.odd("holds a string without its quotes", offset)
    text = line[1:-1].decode("latin-1")
    machine.stack.append(text if len(text) <= KEPT_TEXT else LongText(offset, machine.stream.offset - offset, True))


def _line_unicode(machine: _Machine) -> None:
    offset = machine.stream.offset
    text = machine.stream.line().decode("raw-unicode-escape", "replace")
    size = machine.stream.offset - 1 - offset
    machine.stack.append(text if size <= KEPT_TEXT else LongText(offset, size, True))


def _global(machine: _Machine) -> None:
    module, name = (machine.stream.line().decode("utf-8", "backslashreplace") for _ in range(2))
    machine._find(module[:KEPT_TEXT], name[:KEPT_TEXT])


def _stack_global(machine: _Machine) -> None:
    name, module = machine._pop(), machine._pop()
    machine._find(module, name)


def _inst(machine: _Machine) -> None:
    module, name = (machine.stream.line().decode("utf-8", "backslashreplace") for _ in range(2))
    arguments = tuple(machine._to_mark())
    machine._find(module[:KEPT_TEXT], name[:KEPT_TEXT])
    machine._call(machine.stack.pop(), arguments, "INST")


def _obj(machine: _Machine) -> None:
    items = machine._to_mark()
    if not items:
        raise Broken("an object without a class")
    machine._call(items[0], tuple(items[1:]), "OBJ")


def _newobj(machine: _Machine) -> None:
    arguments = machine._pop()
    machine._call(machine._pop(), arguments, "NEWOBJ")


def _newobj_ex(machine: _Machine) -> None:
    keywords, arguments = machine._pop(), machine._pop()
    machine._call(machine._pop(), (arguments, keywords), "NEWOBJ_EX")


def _extension(size: int) -> Any:
    def handler(machine: _Machine) -> None:
        code = int.from_bytes(machine.stream.take(size), "little")
        offset = machine.stream.offset
        machine.result.extensions.append((offset, code))
        machine.stack.append(Global("copyreg extension", str(code), offset))

    return handler


def _persid(machine: _Machine) -> None:
    _persistent(machine, machine.stream.line()[:KEPT_TEXT].decode("latin-1"))


def _binpersid(machine: _Machine) -> None:
    _persistent(machine, machine._pop())


def _persistent(machine: _Machine, value: Any) -> None:
    found = Persistent(value)
    if len(machine.result.persistents) < MAX_KEPT:
        machine.result.persistents.append(found)
    machine.stack.append(found)


def _proto(machine: _Machine) -> None:
    version = machine.stream.take(1)[0]
    if version > HIGHEST_PROTOCOL:
        machine.odd(f"says that it is of protocol {version}, which does not exist")
    machine.result.protocol = version


def _pop_one(machine: _Machine) -> None:
    floor = machine.marks[-1] if machine.marks else 0
    if machine.marks and len(machine.stack) == floor:
        machine.marks.pop()
    else:
        machine._pop()


def _pop_mark(machine: _Machine) -> None:
    machine._to_mark()


def _tuple(machine: _Machine) -> None:
    items = machine._to_mark()
    machine.stack.append(_bounded(items))


def _bounded(items: list[Any]) -> tuple[Any, ...]:
    if len(items) <= KEPT_ITEMS:
        return tuple(items)
    return tuple(items[:KEPT_ITEMS] + [item for item in items[KEPT_ITEMS:MAX_KEPT] if isinstance(item, _MATTERS)])


def _tuple_of(size: int) -> Any:
    def handler(machine: _Machine) -> None:
        items = [machine._pop() for _ in range(size)][::-1]
        machine.stack.append(tuple(items))

    return handler


def _list(machine: _Machine) -> None:
    items = machine._to_mark()
    machine.stack.append(list(_bounded(items)))


def _dict(machine: _Machine) -> None:
    items = machine._to_mark()
    made: dict[Any, Any] = {}
    _update(made, items)
    machine.stack.append(made)


def _frozenset(machine: _Machine) -> None:
    items = machine._to_mark()
    machine.stack.append(list(_bounded(items)))


def _dup(machine: _Machine) -> None:
    machine.stack.append(machine._top())


def _push(value: Any) -> Any:
    def handler(machine: _Machine) -> None:
        machine.stack.append(value)

    return handler


def _fresh(kind: type) -> Any:
    def handler(machine: _Machine) -> None:
        machine.stack.append(kind())

    return handler


def _sized(width: int, take: str) -> Any:
    def handler(machine: _Machine) -> None:
        getattr(machine, take)(int.from_bytes(machine.stream.take(width), "little"))

    return handler


def _signed_long4(machine: _Machine) -> None:
    size = _I32.unpack(machine.stream.take(4))[0]
    if size < 0:
        raise Broken("a number of negative length")
    machine._long(size)


def _short_string(machine: _Machine) -> None:
    machine.stack.append(machine.stream.take(machine.stream.take(1)[0]).decode("latin-1"))


def _string(machine: _Machine) -> None:
    size = _I32.unpack(machine.stream.take(4))[0]
    if size < 0:
        raise Broken("a string of negative length")
    if size > KEPT_TEXT:
        machine.stream.skip(size)
        machine.stack.append(UNKNOWN)
    else:
        machine.stack.append(machine.stream.take(size).decode("latin-1"))


def _line_put(machine: _Machine) -> None:
    index = _number(machine, machine.stream.line(), 10)
    if not isinstance(index, int) or index < 0:
        raise Broken("a memo entry that is no number")
    machine._put(index)


def _line_get(machine: _Machine) -> None:
    index = _number(machine, machine.stream.line(), 10)
    if not isinstance(index, int):
        raise Broken("a memo entry that is no number")
    machine._get(index)


def _next_buffer(machine: _Machine) -> None:
    machine.stack.append(UNKNOWN)


def _readonly_buffer(machine: _Machine) -> None:
    machine._top()


_HANDLERS: dict[int, Any] = {
    ord("I"): _line_int,
    ord("J"): lambda machine: machine.stack.append(_I32.unpack(machine.stream.take(4))[0]),
    ord("M"): lambda machine: machine.stack.append(_U16.unpack(machine.stream.take(2))[0]),
    ord("L"): _line_long,
    0x8A: _sized(1, "_long"),
    0x8B: _signed_long4,
    ord("S"): _line_string,
    ord("T"): _string,
    ord("U"): _short_string,
    ord("B"): _sized(4, "_bytes"),
    ord("C"): _sized(1, "_bytes"),
    0x8E: _sized(8, "_bytes"),
    0x96: _sized(8, "_bytes"),
    0x97: _next_buffer,
    0x98: _readonly_buffer,
    ord("N"): _push(None),
    0x88: _push(True),
    0x89: _push(False),
    ord("V"): _line_unicode,
    0x8D: _sized(8, "_text"),
    ord("F"): _line_float,
    ord("]"): _fresh(list),
    ord("a"): _append,
    ord("e"): _appends,
    ord("l"): _list,
    ord(")"): _push(()),
    ord("t"): _tuple,
    0x85: _tuple_of(1),
    0x86: _tuple_of(2),
    0x87: _tuple_of(3),
    ord("}"): _fresh(dict),
    ord("d"): _dict,
    ord("s"): _setitem,
    ord("u"): _setitems,
    0x8F: _fresh(list),
    0x90: _appends,
    0x91: _frozenset,
    ord("0"): _pop_one,
    ord("2"): _dup,
    ord("1"): _pop_mark,
    ord("g"): _line_get,
    ord("p"): _line_put,
    0x82: _extension(1),
    0x83: _extension(2),
    0x84: _extension(4),
    ord("c"): _global,
    0x93: _stack_global,
    ord("b"): _Machine._build,
    ord("i"): _inst,
    ord("o"): _obj,
    0x81: _newobj,
    0x92: _newobj_ex,
    0x80: _proto,
    ord("P"): _persid,
    ord("Q"): _binpersid,
}
# Those above and those that `run` handles by itself.
_OPCODES = frozenset(_HANDLERS) | frozenset(b"\x94\x71\x58\x8c\x4b\x68\x72\x6a\x47\x28\x52\x2e\x95")


# -- torch


@dataclass(frozen=True, slots=True)
class TensorRef:
    """A tensor of a torch checkpoint: its path in the object, and where its values are in which storage.

    `storage` is the class ("FloatStorage") or dtype that names the element type; `storage_elements` is the storage's stated length;
    `offset`, `shape` and `stride` count elements.
    """

    name: str
    storage: str
    key: str
    storage_elements: int
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def torch_tensors(root: Any, limit: int = MAX_KEPT) -> list[TensorRef]:
    """Return the tensors in what a pickle would make, by their path ("model.layers.0.weight"), at most `limit`."""
    found: list[TensorRef] = []
    seen: set[int] = set()
    left: list[tuple[str, Any]] = [("", root)]
    while left and len(found) < limit:
        path, value = left.pop()
        if isinstance(value, str | int | None) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Call):
            reference = _tensor(path, value)
            if reference is not None:
                found.append(reference)
                continue
            left += [(path, value.state), (path, value.arguments), (path, value.items)]
        elif isinstance(value, dict):
            left += [(f"{path}.{key}" if path else str(key), each) for key, each in reversed(value.items())]
        elif isinstance(value, list | tuple):
            left += (
                [(f"{path}.{i}" if path else str(i), each) for i, each in reversed(list(enumerate(value)))]
                if len(value) > 1
                else [(path, each) for each in value]
            )
    return found


def _tensor(path: str, call: Call) -> TensorRef | None:
    if not isinstance(call.callable, Global) or not call.callable.name.startswith("_rebuild_tensor"):
        return None
    arguments = call.arguments
    if not isinstance(arguments, tuple) or len(arguments) < 4 or not isinstance(arguments[0], Persistent):
        return None
    stored = storage_of(arguments[0])
    offset, shape, stride = arguments[1:4]
    if stored is None or not isinstance(offset, int) or not _sizes(shape) or not _sizes(stride):
        return None
    return TensorRef(path, stored[0], stored[1], stored[2], offset, shape, stride)


def storage_of(persistent: Persistent) -> tuple[str, str, int] | None:
    """Return (class, key, elements) of a torch storage's persistent id, or None for another's."""
    value = persistent.value
    if not isinstance(value, tuple) or len(value) < 5 or value[0] != "storage" or not isinstance(value[1], Global):
        return None
    key, elements = value[2], value[4]
    if not isinstance(key, str | int) or not isinstance(elements, int) or elements < 0:
        return None
    return value[1].name, str(key), elements


def _sizes(value: Any) -> bool:
    if isinstance(value, Call) and _is(value.callable, "torch", "Size"):
        return False
    return isinstance(value, tuple) and all(isinstance(each, int) and not isinstance(each, bool) for each in value)
