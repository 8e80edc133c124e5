"""What the statistics say is wrong: values that are no numbers, tensors without content, odd ones out, doubles, odd lowest bits."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from statistics import median

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.report import Finding, Severity
from weighbridge.probes.checkpoint.weights.roles import KNOWN_ROLES
from weighbridge.probes.checkpoint.weights.statistics import TensorStatistics
from weighbridge.probes.checkpoint.weights.values import is_float

# Tensors that may well be constant, large, or the same in every layer: buffers, norms, biases, what has not been trained yet, sums.
_NO_WEIGHTS = re.compile(
    r"bias|norm|mask|inv_freq|rotary|position_ids|num_batches|running_|scale|zero_point|zeros|lora_?b|lora_embedding_b|\bgamma|\bbeta|"
    r"exp_avg|momentum|optimizer|state\.|g_idx|causal|freqs|sinusoid|pos_emb|pos_embed|counter|step|alibi|ln_|absmax|quant_map|"
    r"embed_avg|ema_|cluster|anchor|grid|coord|relative_|rel_pos|\bdist|buffer|pe$",
    re.IGNORECASE,
)
# A mask is made of infinities.
_MAY_BE_INFINITE = re.compile(r"mask|causal|alibi|attn\.bias$|slopes", re.IGNORECASE)
# Arrays without a name: a user's data, perhaps, not weights.
_NAMELESS = re.compile(r"^array(?: at \d+)?$")
_PLAIN = frozenset({"f64", "f32", "f16", "bf16"})  # coarser types round many values to 0, each its own share
LEAST_ELEMENTS = 64  # smaller matrices may be anything
ABSURD = 1e4  # no weight of a trained matrix is so large
OUTLIER_FACTOR, OUTLIER_MADS, OUTLIER_LAYERS = 5.0, 6.0, 4
LEAST_MAD = 0.05  # of logarithms: some models keep every layer's spread the same to four digits
OUTLIER_ZEROS, USUAL_ZEROS = 0.2, 0.02
ALL_CONSTANT_ELEMENTS = 1024
LEAST_DOUBLED = 256
MAX_LISTED = 100
_MAGICS = ((b"PK\x03\x04", "a zip archive"), (b"\x7fELF", "a program"), (b"\x1f\x8b\x08", "gzip data"), (b"7z\xbc\xaf", "a 7z archive"), (b"#!/", "a script"), (b"%PDF", "a document"))  # fmt: skip
CHI_SQUARE = 8.0


def findings(statistics: Sequence[TensorStatistics]) -> list[Finding]:
    """Return what is wrong with the weights, at most `MAX_LISTED` places under each rule."""
    return [
        finding
        for rule in (_no_numbers, _scales, _empty, _absurd, _outliers, _doubles, _payloads, _low_bits, _undertrained)
        for finding in rule(statistics)[:MAX_LISTED]
    ]


def _say(rule: str, each: TensorStatistics, message: str) -> Finding:
    severity = Severity.INFO if rule in _OF_WEIGHTS and _NAMELESS.search(each.tensor) else None
    return found(f"weights.{rule}", each.path, each.tensor, message, severity=severity)


# What is ordinary in an array of data.
_OF_WEIGHTS = frozenset({"nan", "inf", "constant", "absurd"})


def _no_numbers(statistics: Sequence[TensorStatistics]) -> list[Finding]:
    said = []
    for each in statistics:
        if each.nan:
            said.append(_say("nan", each, f"{each.nan:,} of {each.elements:,} values are NaN"))
        if each.inf and not _MAY_BE_INFINITE.search(each.tensor):
            said.append(_say("inf", each, f"{each.inf:,} of {each.elements:,} values are infinite"))
    return said


def _scales(statistics: Sequence[TensorStatistics]) -> list[Finding]:
    said = []
    for each in statistics:
        if each.scales and (each.scales[3] or each.scales[4]) and not each.nan and not each.inf:
            message = f"{each.scales[3] + each.scales[4]:,} block scales are NaN or infinite"
            said.append(_say("nan", each, message))
    return said


def _empty(statistics: Sequence[TensorStatistics]) -> list[Finding]:
    """Matrices whose values are all the same, where others are not. Files of nothing but zeros are placeholders as often as damaged:
    they are named only where tensors have the names of a transformer's."""
    matrices = [each for each in statistics if _is_matrix(each) and each.elements >= LEAST_ELEMENTS]
    constant = [each for each in matrices if each.minimum == each.maximum and not each.nan and not each.inf]
    said = []
    for each in constant:
        alone = len(constant) == len(matrices)
        if alone and (each.role not in KNOWN_ROLES or each.elements < ALL_CONSTANT_ELEMENTS):
            continue
        what = "every value is 0" if each.minimum == 0 else f"every value is {each.minimum:g}"
        said.append(_say("constant", each, f"{what}: {each.elements:,} of them"))
    return said + _dead_norms(statistics)


def _dead_norms(statistics: Sequence[TensorStatistics]) -> list[Finding]:
    """Scales of a norm that are all 0 where the same part of other layers is not: nothing comes through."""
    groups: dict[str, list[TensorStatistics]] = {}
    for each in statistics:
        if (
            each.layer is not None
            and re.search(r"norm|ln_", each.tensor)
            and each.tensor.endswith("weight")
            and each.minimum is not None
        ):
            groups.setdefault(each.role, []).append(each)
    said = []
    for group in groups.values():
        dead = [each for each in group if each.minimum == each.maximum == 0]
        if len(group) >= OUTLIER_LAYERS and 0 < len(dead) <= len(group) / 4:
            said += [
                _say(
                    "constant",
                    each,
                    f"every scale of the norm is 0, in other layers it is not: {each.elements:,} of them",
                )
                for each in dead
            ]
    return said


def _is_matrix(each: TensorStatistics) -> bool:
    """Whether this was measured and is a matrix (or more) of weights."""
    return (
        each.measured
        and each.minimum is not None
        and sum(length > 1 for length in each.shape) >= 2
        and is_float(each.dtype)
        and not _NO_WEIGHTS.search(each.tensor)
    )


def _absurd(statistics: Sequence[TensorStatistics]) -> list[Finding]:
    said = []
    for each in statistics:
        if each.minimum is None or each.maximum is None or not is_float(each.dtype) or len(each.shape) < 2:
            continue
        reach = max(abs(each.minimum), abs(each.maximum))
        if reach > ABSURD and not _NO_WEIGHTS.search(each.tensor):
            said.append(_say("absurd", each, f"values up to {reach:.3g}"))
    return said


def _outliers(statistics: Sequence[TensorStatistics]) -> list[Finding]:
    """Tensors whose spread, or share of zeros, is unlike that of the same part in the nearest layers."""
    groups: dict[tuple[str, str, str], list[TensorStatistics]] = {}
    for each in statistics:
        if each.layer is not None and each.deviation and _is_matrix(each):
            tower = each.tensor.partition(f".{each.layer}.")[0]
            groups.setdefault((each.path.rpartition("/")[0], tower, each.role), []).append(each)
    said = []
    for group in groups.values():
        if len(group) < OUTLIER_LAYERS:
            continue
        group.sort(key=lambda each: each.layer or 0)
        spreads = [math.log(each.deviation) for each in group if each.deviation]
        away = [spread - median(_nearest(spreads, at)) for at, spread in enumerate(spreads)]
        mad = max(median(map(abs, away)), LEAST_MAD)
        empty = [(each.zeros or 0) / each.elements for each in group]
        for at, each in enumerate(group):
            usual = median(_nearest(empty, at))
            if abs(away[at]) > max(math.log(OUTLIER_FACTOR), OUTLIER_MADS * mad):
                side = "wider" if away[at] > 0 else "narrower"
                message = f"its values spread {math.exp(abs(away[at])):,.0f} times {side} than in the nearest layers"
                said.append(_say("outlier", each, message))
            elif each.dtype in _PLAIN and empty[at] > OUTLIER_ZEROS and usual < USUAL_ZEROS:
                said.append(
                    _say("outlier", each, f"{empty[at]:.0%} of its values are 0, in the nearest layers {usual:.1%}")
                )
    return said


def _nearest(numbers: Sequence[float], at: int) -> list[float]:
    """Return the four nearest to place `at`, without that."""
    near = range(max(0, at - 4), min(len(numbers), at + 5))
    others = sorted(near, key=lambda index: (abs(index - at), index))
    return [numbers[index] for index in others[1:5]]


def _doubles(statistics: Sequence[TensorStatistics]) -> list[Finding]:
    """The same bytes in two places of the file, of different layers. Views of the same bytes, buffers and constants are ordinary."""
    by_digest: dict[tuple[str, str, tuple[int, ...]], list[TensorStatistics]] = {}
    seen: set[tuple[str, int]] = set()
    for each in statistics:
        if each.elements < LEAST_DOUBLED or not each.deviation or each.layer is None or not _is_matrix(each):
            continue
        if each.region is not None:
            if (each.path, each.region.offset) in seen:
                continue
            seen.add((each.path, each.region.offset))
        by_digest.setdefault((each.digest, each.dtype, each.shape), []).append(each)
    said = []
    for same in by_digest.values():
        if len({(each.layer, each.role) for each in same}) > 1:
            first, *others = same
            said.append(
                _say("duplicate", others[0], f"the same bytes as {first.tensor} ({len(same)} tensors are alike)")
            )
    return said


def _payloads(statistics: Sequence[TensorStatistics]) -> list[Finding]:
    """A tensor whose first bytes are those of an archive or a program."""
    said = []
    for each in statistics:
        for magic, what in _MAGICS:
            if each.head.startswith(magic) and (len(magic) > 3 or each.deviation is None or each.deviation > 1e3):
                said.append(_say("payload", each, f"begins as {what} does"))
    return said


def _low_bits(statistics: Sequence[TensorStatistics]) -> list[Finding]:
    """Lowest bytes that read as text; of float32 also such as are far from random where others are not, or filled where others are empty."""
    matrices = [each for each in statistics if each.low_bits and _is_matrix(each)]
    full = [each for each in matrices if each.dtype == "f32" and not _is_short(each)]
    short = [each for each in matrices if each.dtype == "f32" and _is_short(each)]
    chi_squares = [each.low_bits["chi_square"] for each in full if each.low_bits]
    usual = median(chi_squares) if len(chi_squares) > 4 else math.inf
    said = []
    for each in matrices:
        bits = each.low_bits or {}
        if bits["text_windows"]:
            share = bits["text_windows"] / max(bits["windows"], 1)
            said.append(_say("low-bits", each, f"the lowest bytes read as text in {share:.1%} of the tensor"))
        elif each.dtype != "f32":
            continue
        elif _is_short(each):
            # An embedding may have been given new rows that were never in 16 bits.
            if bits["filled_windows"] and each.role not in ("embedding", "head"):
                share = bits["filled_windows"] / bits["windows"]
                said.append(
                    _say("low-bits", each, f"the lowest 16 bits are empty, but filled in {share:.1%} of the tensor")
                )
        elif bits["chi_square"] > CHI_SQUARE and usual < 2.0:
            said.append(_say("low-bits", each, "the lowest bytes are far from random, unlike in most other tensors"))
        elif bits["uneven_windows"] and bits["chi_square"] < CHI_SQUARE and each.role not in ("embedding", "head"):
            share = bits["uneven_windows"] / bits["windows"]
            said.append(_say("low-bits", each, f"the lowest bytes are far from random in {share:.1%} of the tensor"))
        elif short and len(short) >= 4 * len(full):
            said.append(_say("low-bits", each, "its lowest 16 bits are filled, in most other tensors they are empty"))
    return said


def _is_short(each: TensorStatistics) -> bool:
    """Whether most of the float32 values have 16 lowest bits that are 0: they were bfloat16 once."""
    return bool(each.low_bits and each.low_bits.get("short", 0) >= 0.5)


def _undertrained(statistics: Sequence[TensorStatistics]) -> list[Finding]:
    """Rows of the input embedding that are much shorter than most: tokens that training hardly touched (Land and Bartolo 2024)."""
    said = []
    for each in statistics:
        if each.role != "embedding" or each.row_norms is None:
            continue
        import numpy as np

        norms = each.row_norms[np.isfinite(each.row_norms)]
        if norms.size < 1000:
            continue
        middle = float(np.median(norms))
        rows = np.flatnonzero(each.row_norms < 0.5 * middle)
        if middle > 0 and rows.size:
            shown = ", ".join(str(int(row)) for row in rows[:12])
            more = " ..." if rows.size > 12 else ""
            message = f"{rows.size:,} of {norms.size:,} tokens have rows less than half as long as most: {shown}{more}"
            said.append(_say("undertrained-tokens", each, message))
    return said
