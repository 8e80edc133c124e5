"""Examines pickles: by what they would import and call, with the allow-list deciding. Nothing is run or looked up."""

from __future__ import annotations

import re
from collections.abc import Iterator

from weighbridge.probes.checkpoint.allowed_globals import Policy, policy
from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.examine import Context, Spent
from weighbridge.probes.checkpoint.pickle_machine import (
    HIGHEST_PROTOCOL,
    Call,
    Global,
    LongText,
    Persistent,
    PickleResult,
    Raw,
    expanded_size,
    read_pickle,
)
from weighbridge.probes.checkpoint.report import Examined, NotExamined, Region
from weighbridge.probes.checkpoint.source import MemorySource, Source, Window
from weighbridge.probes.checkpoint.torch_legacy import follow_storages, is_legacy
from weighbridge.probes.checkpoint.zip_archive import LOCAL

_MAX_PICKLES = 10_000  # in a row
_SEARCH_WINDOW = 1 << 20
_LONGEST_SEARCH = 1 << 30
_TRIAL_STEPS = 4000
_MAKERS = frozenset({
    "builtins.bytes", "builtins.bytearray", "builtins.list", "builtins.tuple", "builtins.set", "builtins.frozenset", "collections.deque",
    "torch.UntypedStorage", "torch.storage.UntypedStorage", "torch.ByteStorage", "torch.FloatStorage",
    "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct",
})  # fmt: skip
_MOST_ASKED = 1 << 33
_SHARED, _MOST_VALUES = 20, 10**9  # fewer shared parts cannot multiply that far


def matches(source: Source, head: bytes) -> bool:
    """Whether the bytes are a pickle: by their first bytes, and for protocols 0 and 1, which have none, by trying."""
    if head[:1] == b"\x80" and len(head) > 1 and head[1] <= HIGHEST_PROTOCOL:
        return True
    # A zip archive's first bytes read as a persistent id up to the next line: every unpickler without a loader of them stops there.
    return head[:4] != LOCAL and _plausible(source, 0)


def _plausible(source: Source, offset: int) -> bool:
    """Whether the bytes from `offset` on read as a pickle up to its end, up to something called, or as far as a trial goes."""
    context = Context()
    context.allowance.steps = _TRIAL_STEPS
    try:
        result = read_pickle(source, offset, context)
    except Spent:
        return True
    # A text may happen to read as an import of two words; one that goes on to call what it imported does not.
    if any(isinstance(call.callable, Global) and call.callable.is_named() for call in result.calls):
        return True
    if not all(each.is_named() for each in result.globals):
        return False
    if result.whole:
        # "N." and the like are pickles of a constant; a text that happens to read so is short and has no structure.
        structured = bool(result.globals or result.calls) or isinstance(result.root, list | dict | tuple)
        return structured or result.end == source.size_bytes > offset + (0 if _has_pickle_name(source.path) else 2)
    return bool(result.calls or result.built)


def _has_pickle_name(path: str) -> bool:
    return path.lower().endswith((".pkl", ".pickle", ".joblib", ".dill"))


def examine(source: Source, into: Examined, context: Context) -> None:
    """Follow the pickles of `source` one behind the other."""
    into.format = "pickle"
    pickles: list[PickleResult] = []
    offset = 0
    try:
        while offset < source.size_bytes and len(pickles) < _MAX_PICKLES:
            if pickles and not _begins(source, offset):
                break
            result = read_pickle(source, offset, context)
            pickles.append(result)
            _judge(source, result, into, context)
            offset = result.end
            if not result.whole:
                break
            if len(pickles) == 5 and is_legacy(pickles):
                offset = follow_storages(source, pickles, into, context)
                break
    except Spent as spent:
        into.findings.append(
            found(
                "pickle.too-much-work", source.path, f"byte {offset}", "it asks for more work than any ordinary model"
            )
        )
        into.not_examined.append(NotExamined(source.path, str(spent)))
        _search(source, offset, into)
        return
    _rest(source, offset, pickles, into, context)


def _begins(source: Source, offset: int) -> bool:
    """Whether another pickle begins at `offset`."""
    head = source.read(offset, 3)
    return (head[:1] == b"\x80" and len(head) > 2 and head[1] <= HIGHEST_PROTOCOL) or _plausible(source, offset)


def _judge(source: Source, whole: PickleResult, into: Examined, context: Context) -> None:
    """Turn what a pickle would do into findings."""
    rules = policy()
    for result in whole.every():
        # Another reading may resolve names that nobody wrote: it counts where it reaches something known to be dangerous.
        if result.plain and not any(_is_known_danger(each, rules) for each in result.globals):
            continue
        called: dict[tuple[str, str], Call] = {}
        for call in _calls(result, rules):
            context.allowance.step()
            if isinstance(call.callable, Global):
                if (size := _asked_for(call)) >= _MOST_ASKED:
                    message = f"has {call.callable} make {size:,} values or bytes out of nothing"
                    into.findings.append(found("pickle.too-much-work", source.path, f"byte {call.offset}", message))
                called.setdefault((call.callable.module, call.callable.name), call)
                if call.callable.name == "_load_from_bytes":
                    _nested(source, call, into, context)
            elif not _is_damage(call.callable):
                where, what = f"byte {call.offset}", _described(call.callable)
                into.findings.append(found("pickle.calls-result", source.path, where, f"{call.how} calls {what}"))
        for named in result.globals:
            if rules.allows(named.module, named.name):
                continue
            call_ = called.get((named.module, named.name))
            danger = rules.danger(named.module, named.name)
            where = f"byte {named.offset}"
            if call_ is not None and (danger or call_.how not in ("NEWOBJ", "NEWOBJ_EX")):
                does = f", which {danger}" if danger else ""
                into.findings.append(found("pickle.runs-code", source.path, where, f"calls {named}{does}"))
            elif danger:
                message = f"imports {named}, which {danger}"
                into.findings.append(found("pickle.runs-code", source.path, where, message))
            else:
                verb = "makes an object of" if call_ is not None else "imports"
                message = f"{verb} {named}, which no loader needs"
                into.findings.append(found("pickle.unknown-global", source.path, where, message))
        for offset, target in result.built:
            if isinstance(target, Global):
                message = f"sets the state of {target} itself"
                into.findings.append(found("pickle.build-on-global", source.path, f"byte {offset}", message))
        for offset in result.dynamic:
            message = "the name of what is imported is computed"
            into.findings.append(found("pickle.computed-global", source.path, f"byte {offset}", message))
        for offset, code in result.extensions:
            message = f"imports number {code} of the extension registry"
            into.findings.append(found("pickle.extension", source.path, f"byte {offset}", message))
        for offset, what in result.problems:
            rule = "pickle.frame" if "frame" in what else "pickle.broken"
            into.findings.append(
                found(rule, source.path, f"byte {offset}", f"the pickle {what}" if rule == "pickle.broken" else what)
            )
        if result.shared >= _SHARED and (size := expanded_size(result.root, _MOST_VALUES)) >= _MOST_VALUES:
            message = f"shared parts multiply it to {size:,} values or more"
            into.findings.append(found("pickle.too-much-work", source.path, f"byte {result.start}", message))
        into.regions += [region for array in result.arrays if (region := _region(*array)) is not None]


def _calls(result: PickleResult, rules: Policy) -> Iterator[Call]:
    """Yield what would be called: by the pickle itself, and by allowed functions that call one of their arguments."""
    for call in result.calls:
        yield call
        target, arguments = call.callable, call.arguments
        if not isinstance(target, Global) or not isinstance(arguments, tuple):
            continue
        places = rules.calls_argument.get(str(target))
        if places is not None and max(places) < len(arguments):
            callee, given = (arguments[place] for place in places)
            yield Call(callee, given if isinstance(given, tuple) else (given,), call.how, call.offset)


def _asked_for(call: Call) -> int:
    """Return how much a call makes that does not stand in the file: `bytearray(2**40)`, `list(range(2**40))`, an empty array."""
    arguments = call.arguments
    if not isinstance(arguments, tuple) or not arguments or str(call.callable) not in _MAKERS:
        return 0
    first = arguments[0]
    if isinstance(first, Call) and str(first.callable) == "builtins.range" and isinstance(first.arguments, tuple):
        return max((each for each in first.arguments if isinstance(each, int)), default=0)
    if str(call.callable).endswith("._reconstruct"):
        first, size = arguments[1] if len(arguments) > 1 else (), 1
        for each in first if isinstance(first, tuple) else ():
            size = min(size * each, 1 << 62) if isinstance(each, int) else size
        return size
    if call.callable.name in ("bytes", "bytearray") or "torch" in call.callable.module:
        return first if isinstance(first, int) else 0
    return 0


def _is_known_danger(each: Global, rules: Policy) -> bool:
    return not rules.allows(each.module, each.name) and rules.danger(each.module, each.name) is not None


def _is_damage(value: object) -> bool:
    """Whether calling `value` fails in any unpickler: a plain value is no function."""
    return not isinstance(value, Call | Persistent) and not isinstance(value, Global)


def _described(value: object) -> str:
    if isinstance(value, Call):
        inner = value.callable
        return f"what {inner if isinstance(inner, Global) else 'another call'} returned"
    return "an object that the loader provides"


def _nested(source: Source, call: Call, into: Examined, context: Context) -> None:
    """Examine the checkpoint that torch keeps as bytes within a pickle."""
    arguments = call.arguments
    given = arguments[0] if isinstance(arguments, tuple) and len(arguments) == 1 else None
    if isinstance(given, Raw):
        context.examine(Window(f"{source.path}!bytes at {given.offset}", source, given.offset, given.size_bytes))
    elif (data := _encoded(source, given, context)) is not None:
        context.examine(MemorySource(f"{source.path}!bytes at {call.offset}", data))
    else:
        message = "loads another pickle whose bytes do not stand in the file as they are"
        into.findings.append(found("pickle.runs-code", source.path, f"byte {call.offset}", message))


def _encoded(source: Source, value: object, context: Context) -> bytes | None:
    """Return bytes that protocols 0 to 2 write as a text with `_codecs.encode`, or None for anything else."""
    if not isinstance(value, Call) or str(value.callable) != "_codecs.encode" or not isinstance(value.arguments, tuple):
        return None
    text, encoding = value.arguments if len(value.arguments) == 2 else (None, None)
    if encoding not in ("latin1", "latin-1"):
        return None
    try:
        if isinstance(text, LongText):
            context.allowance.unpack(text.size_bytes)
            raw = source.read(text.offset, text.size_bytes)
            text = raw.decode("raw-unicode-escape") if text.escaped else raw.decode("utf-8")
        return text.encode("latin-1") if isinstance(text, str) else None
    except UnicodeError:
        return None


_DTYPES = {"f2": "f16", "f4": "f32", "f8": "f64", "i1": "i8", "i2": "i16", "i4": "i32", "i8": "i64", "u1": "u8", "u2": "u16", "u4": "u32", "u8": "u64", "b1": "bool", "c8": "c64", "c16": "c128"}  # fmt: skip


def _region(offset: int, size: int, code: str, shape: tuple[int, ...]) -> Region | None:
    dtype = _DTYPES.get(code.lstrip("<>|="))
    if dtype is None or not size:
        return None
    return Region(f"array at {offset}", offset, size, dtype, shape, big_endian=code.startswith(">"))


def _rest(source: Source, offset: int, pickles: list[PickleResult], into: Examined, context: Context) -> None:
    """Say what lies behind the last pickle."""
    left = source.size_bytes - offset
    broken = bool(pickles) and not pickles[-1].whole
    if broken:
        into.not_examined.append(NotExamined(source.path, f"what lies behind byte {offset} was not followed"))
    if left <= 0:
        return
    if broken:
        _search(source, offset, into)
        return
    if any(source.read(offset, 4) for _ in range(1)) and not _only_zeros(source, offset):
        message = f"{left:,} bytes behind the end"
        into.findings.append(found("pickle.hidden-bytes", source.path, f"byte {offset}", message))
        inner = Window(f"{source.path}!behind {offset}", source, offset, left)
        head = inner.read(0, 8)
        if head[:4] in (b"PK\x03\x04", b"\x7fELF", b"7z\xbc\xaf") or head[:2] in (b"\x1f\x8b", b"MZ", b"BZ"):
            context.examine(inner)
        else:
            _search(source, offset, into)


def _only_zeros(source: Source, offset: int) -> bool:
    """Whether what follows is short padding."""
    rest = source.read(offset, 4097)
    return len(rest) <= 4096 and not rest.strip(b"\0")


_NAMED = re.compile(rb"[ci]([A-Za-z_][\w.]{0,80})\n([A-Za-z_][\w.]{0,80})\n")
_COUNTED = re.compile(
    rb"[\x8c\x58]([\x01-\x50])(?:\0\0\0)?([A-Za-z_][\w.]{0,79})\x94?[\x8c\x58]([\x01-\x50])(?:\0\0\0)?([A-Za-z_][\w.]{0,79})\x94?\x93"
)


def _search(source: Source, offset: int, into: Examined) -> None:
    """Look for known dangerous names in what could not be followed: opcodes that import, wherever they stand."""
    rules = policy()
    seen: set[tuple[str, str]] = set()
    overlap = 512
    end = min(source.size_bytes, offset + _LONGEST_SEARCH)
    at = offset
    while at < end and len(seen) < 50:
        window = source.read(at, _SEARCH_WINDOW + overlap)
        hits = [(match.start(), match[1], match[2]) for match in _NAMED.finditer(window)]
        for match in _COUNTED.finditer(window):
            first, second = match[1][0], match[3][0]
            hits.append((match.start(), match[2][:first], match[4][:second]))
        for start, module, name in hits:
            pair = module.decode("latin-1"), name.decode("latin-1")
            if pair in seen or rules.allows(*pair):
                continue
            if (danger := rules.danger(*pair)) is not None:
                seen.add(pair)
                message = f"imports {pair[0]}.{pair[1]}, which {danger}, in a part that could not be followed"
                into.findings.append(found("pickle.runs-code", source.path, f"byte {at + start}", message))
        at += _SEARCH_WINDOW
