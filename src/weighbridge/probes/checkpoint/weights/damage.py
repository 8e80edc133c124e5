"""What the statistics say is wrong: values that are no numbers, tensors without content, odd ones out, doubles, odd lowest bits."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from statistics import median

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.report import Finding
from weighbridge.probes.checkpoint.weights.statistics import TensorStatistics
from weighbridge.probes.checkpoint.weights.values import is_float

# Tensors that may well be constant: buffers, norms, biases, what has not been trained yet.
_MAY_BE_CONSTANT = re.compile(
    r"bias|norm|mask|inv_freq|rotary|position_ids|num_batches|running_|scale|zero_point|zeros|lora_?b|\bgamma|\bbeta|exp_avg|momentum|"
    r"optimizer|state\.|g_idx|causal|freqs|sinusoid|pos_emb|counter|step|alibi|ln_|layer_?scale|absmax|quant_map",
    re.IGNORECASE,
)
LEAST_ELEMENTS = 64  # smaller matrices may be anything
ABSURD = 1e4  # no weight of a trained matrix is so large
OUTLIER_FACTOR, OUTLIER_MADS, OUTLIER_LAYERS = 16.0, 12.0, 4
MAX_LISTED = 100
_MAGICS = ((b"PK\x03\x04", "a zip archive"), (b"\x7fELF", "a program"), (b"\x1f\x8b\x08", "gzip data"), (b"7z\xbc\xaf", "a 7z archive"), (b"#!/", "a script"), (b"%PDF", "a document"))  # fmt: skip
CHI_SQUARE, PRINTABLE = 8.0, 0.95


def findings(statistics: Sequence[TensorStatistics]) -> list[Finding]:
    """Return what is wrong with the weights, at most `MAX_LISTED` places under each rule."""
    return [
        finding
        for rule in (_no_numbers, _scales, _empty, _absurd, _outliers, _doubles, _payloads, _low_bits, _undertrained)
        for finding in rule(statistics)[:MAX_LISTED]
    ]


def _say(rule: str, each: TensorStatistics, message: str) -> Finding:
    return found(f"weights.{rule}", each.path, each.tensor, message)


def _no_numbers(statistics: Sequence[TensorStatistics]) -> list[Finding]:
    said = []
    for each in statistics:
        if each.nan:
            said.append(_say("nan", each, f"{each.nan:,} of {each.elements:,} values are NaN"))
        if each.inf and not _MAY_BE_CONSTANT.search(each.tensor):
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
    said = []
    for each in statistics:
        if (
            each.measured
            and each.minimum is not None
            and each.minimum == each.maximum
            and not each.nan
            and not each.inf
            and each.elements >= LEAST_ELEMENTS
            and sum(length > 1 for length in each.shape) >= 2
            and is_float(each.dtype)
            and not _MAY_BE_CONSTANT.search(each.tensor)
        ):
            what = "every value is 0" if each.minimum == 0 else f"every value is {each.minimum:g}"
            said.append(_say("constant", each, f"{what}: {each.elements:,} of them"))
    return said


def _absurd(statistics: Sequence[TensorStatistics]) -> list[Finding]:
    said = []
    for each in statistics:
        if each.minimum is None or each.maximum is None or not is_float(each.dtype) or len(each.shape) < 2:
            continue
        reach = max(abs(each.minimum), abs(each.maximum))
        if reach > ABSURD and not _MAY_BE_CONSTANT.search(each.tensor):
            said.append(_say("absurd", each, f"values up to {reach:.3g}"))
    return said


def _outliers(statistics: Sequence[TensorStatistics]) -> list[Finding]:
    """Compare each tensor's spread with the same role in other layers, on a log scale, robustly (median and MAD)."""
    groups: dict[tuple[str, str], list[TensorStatistics]] = {}
    for each in statistics:
        if each.layer is not None and each.deviation and len(each.shape) >= 2 and is_float(each.dtype):
            groups.setdefault((each.path.rpartition("/")[0], each.role), []).append(each)
    said = []
    for group in groups.values():
        if len(group) < OUTLIER_LAYERS:
            continue
        spreads = [math.log(each.deviation) for each in group if each.deviation]
        middle = median(spreads)
        mad = max(median(abs(spread - middle) for spread in spreads), 0.02)
        for each, spread in zip(group, spreads, strict=True):
            away = abs(spread - middle)
            if away > math.log(OUTLIER_FACTOR) and away / mad > OUTLIER_MADS:
                factor = math.exp(away)
                side = "wider" if spread > middle else "narrower"
                message = f"its values spread {factor:,.0f} times {side} than in the other {len(group) - 1} layers"
                said.append(_say("outlier", each, message))
    return said


def _doubles(statistics: Sequence[TensorStatistics]) -> list[Finding]:
    """The same bytes under two names in different layers. Tied embeddings are ordinary, and so are untrained or tiny tensors."""
    by_digest: dict[tuple[str, str, tuple[int, ...]], list[TensorStatistics]] = {}
    for each in statistics:
        if each.elements >= 1024 and len(each.shape) >= 2 and each.deviation and is_float(each.dtype):
            by_digest.setdefault((each.digest, each.dtype, each.shape), []).append(each)
    said = []
    for same in by_digest.values():
        layers = {(each.layer, each.role) for each in same if each.layer is not None}
        if len(layers) > 1:
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
    """Lowest bytes that are text or far from uniform in a few float tensors where most are uniform."""
    looked = [
        each for each in statistics if each.low_bits and each.dtype == "f32" and each.low_bits.get("short", 0) < 0.5
    ]
    short = [
        each for each in statistics if each.low_bits and each.dtype == "f32" and each.low_bits.get("short", 0) >= 0.5
    ]
    said = []
    for each in looked:
        bits = each.low_bits or {}
        if bits["printable"] > PRINTABLE:
            said.append(_say("low-bits", each, f"{bits['printable']:.0%} of the lowest bytes are letters and signs"))
        elif bits["chi_square"] > CHI_SQUARE and _odd_one_out(each, looked):
            said.append(_say("low-bits", each, "the lowest bytes are far from random, unlike in most other tensors"))
        elif short and len(short) >= 4 * len(looked) and len(each.shape) >= 2 and each.elements > 4096:
            said.append(_say("low-bits", each, "its lowest 16 bits are filled, in most other tensors they are empty"))
    return said


def _odd_one_out(each: TensorStatistics, looked: Sequence[TensorStatistics]) -> bool:
    others = [one.low_bits["chi_square"] for one in looked if one is not each and one.low_bits]
    return len(others) >= 4 and median(others) < 2.0


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
