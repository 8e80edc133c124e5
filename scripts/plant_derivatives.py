"""Plants derivatives of tiny trained transformers, and measures what lineage tells of them: docs/methods/lineage.md.

    python scripts/plant_derivatives.py [--pairs pairs.json]

Trains 24 models (12 data sets, two initialisations each) with torch on one thread: minutes. Splits by data set, so that no parent, and no stranger trained on the same data, is on two
sides. Fits the log-odds on `train`, shows them on `calibration`, and reports `test`. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from weighbridge.analysis.intervals import wilson
from weighbridge.probes.checkpoint.report import Region
from weighbridge.probes.checkpoint.weights.fingerprint import Fingerprint, fingerprint
from weighbridge.probes.checkpoint.weights.statistics import accumulator
from weighbridge.registry.lineage.relation import Related, probability, relate

LAYERS, WIDTH, INNER, TOKENS, STEPS = 4, 64, 160, 256, 80
SEEDS = 2
SIDES = {"train": range(4), "calibration": range(4, 7), "test": range(12, 17)}
Model = dict[str, np.ndarray]


class Block(torch.nn.Module):
    """One layer: attention and a gated feed-forward."""

    def __init__(self) -> None:
        super().__init__()
        self.self_attn = torch.nn.ModuleDict(
            {name: torch.nn.Linear(WIDTH, WIDTH, bias=False) for name in ("q_proj", "k_proj", "v_proj", "o_proj")}
        )
        self.mlp = torch.nn.ModuleDict(
            {
                "gate_proj": torch.nn.Linear(WIDTH, INNER, bias=False),
                "up_proj": torch.nn.Linear(WIDTH, INNER, bias=False),
                "down_proj": torch.nn.Linear(INNER, WIDTH, bias=False),
            }
        )
        self.input_layernorm = torch.nn.RMSNorm(WIDTH)
        self.post_attention_layernorm = torch.nn.RMSNorm(WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the layer makes of `x`, shape (texts, tokens, WIDTH)."""
        at, mlp, y = self.self_attn, self.mlp, self.input_layernorm(x)
        q, k, v = (at[name](y).unflatten(-1, (4, -1)).transpose(1, 2) for name in ("q_proj", "k_proj", "v_proj"))
        mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + at["o_proj"](mixed.transpose(1, 2).flatten(-2))
        y = self.post_attention_layernorm(x)
        return x + mlp["down_proj"](torch.nn.functional.silu(mlp["gate_proj"](y)) * mlp["up_proj"](y))


class Transformer(torch.nn.Module):
    """A tiny language model with tied embeddings."""

    def __init__(self) -> None:
        super().__init__()
        self.embed_tokens = torch.nn.Embedding(TOKENS, WIDTH)
        torch.nn.init.normal_(self.embed_tokens.weight, 0, 0.1)
        self.layers = torch.nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = torch.nn.RMSNorm(WIDTH)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the logits of the next tokens."""
        x = self.embed_tokens(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.norm(x) @ self.embed_tokens.weight.T


def trained(data: int, seed: int, start: Model | None = None, steps: int = STEPS, rate: float = 3e-3) -> Model:
    """Return the weights after training on texts of the Markov chain `data`."""
    torch.manual_seed(seed)
    net = Transformer()
    if start is not None:
        net.load_state_dict({name: torch.from_numpy(values.copy()) for name, values in start.items()})
    chain = torch.from_numpy(np.random.default_rng(1000 + data).dirichlet(np.full(TOKENS, 0.02), TOKENS)).float()
    taker = torch.Generator().manual_seed(data)  # models of one data set see the same texts in the same order
    optimiser = torch.optim.AdamW(net.parameters(), rate)
    for _ in range(steps):
        tokens = torch.randint(TOKENS, (16, 1), generator=taker)
        for _ in range(24):
            following = torch.multinomial(chain[tokens[:, -1]] + 1e-9, 1, generator=taker)
            tokens = torch.cat([tokens, following], 1)
        loss = torch.nn.functional.cross_entropy(net(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return {name: values.numpy().copy() for name, values in net.state_dict().items()}


def each_matrix(model: Model, change: Callable[[np.ndarray], np.ndarray]) -> Model:
    """Return the model with every matrix changed."""
    return {name: change(values).astype(np.float32) if values.ndim == 2 else values for name, values in model.items()}


def rounded(bits: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return a round trip through blocks of 32 integers of `bits` with one scale each."""

    def change(values: np.ndarray) -> np.ndarray:
        blocks = values.reshape(-1, 32)
        scale = np.maximum(np.abs(blocks).max(1, keepdims=True) / (2 ** (bits - 1) - 1), 1e-12)
        return (np.rint(blocks / scale) * scale).reshape(values.shape)

    return change


def pruned(share: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return magnitude pruning of `share` of each matrix."""
    return lambda values: np.where(np.abs(values) < np.quantile(np.abs(values), share), 0, values)


def adapter(model: Model, random: np.random.Generator, share: float) -> Model:
    """Return the model with low-rank changes of `share` of the length merged into queries and values."""
    made = dict(model)
    for name, values in model.items():
        if "q_proj" in name or "v_proj" in name:
            change = random.normal(size=(values.shape[0], 8)) @ random.normal(size=(8, values.shape[1]))
            made[name] = (values + change * share * np.linalg.norm(values) / np.linalg.norm(change)).astype(np.float32)
    return made


def linear(one: Model, other: Model, share: float) -> Model:
    """Return `share` of one and the rest of the other."""
    return {name: (share * one[name] + (1 - share) * other[name]).astype(np.float32) for name in one}


def slerp(one: Model, other: Model) -> Model:
    """Return the middle of the arc between each two tensors."""
    made = {}
    for name, a in one.items():
        b = other[name]
        cosine = float((a * b).sum() / (np.linalg.norm(a) * np.linalg.norm(b)))
        angle = math.acos(max(-1.0, min(1.0, cosine)))
        weight = math.sin(angle / 2) / math.sin(angle) if angle > 1e-4 else 0.5
        made[name] = (weight * (a + b)).astype(np.float32)
    return made


def dropped(model: Model, layer: int) -> Model:
    """Return the model without one layer, the later ones renumbered."""
    order = [each for each in range(LAYERS) if each != layer]
    made = {name: values for name, values in model.items() if not name.startswith("layers.")}
    for new, old in enumerate(order):
        made |= {
            name.replace(f"layers.{old}.", f"layers.{new}."): values
            for name, values in model.items()
            if name.startswith(f"layers.{old}.")
        }
    return made


def mark(model: Model) -> Fingerprint:
    """Return the fingerprint that `inspect` would compute from a float32 file."""
    found = []
    for name, values in model.items():
        raw = np.ascontiguousarray(values, np.float32)
        taker = accumulator(Region(name, 0, raw.nbytes, "f32", raw.shape), "model")
        taker.feed(raw.view(np.uint8).ravel())
        found.append(taker.result())
    made = fingerprint(found)
    assert made is not None
    return made


def family(parent: Model, data: int, seed: int) -> Iterator[tuple[str, Model]]:
    """Yield derivatives of one parent, each with its kind."""
    random = np.random.default_rng([data, seed])
    tuned = {}
    for steps, rate in ((10, 3e-4), (40, 1e-3), (80, 3e-3)):
        tuned[steps] = trained(data + 100, seed, parent, steps, rate)
        yield f"fine-tuned, {steps} steps at {rate:g}", tuned[steps]
    half = each_matrix(parent, lambda values: values.astype(np.float16))
    yield "cast to float16, renamed, shards in another order", {f"model.{name}": half[name] for name in reversed(half)}
    yield "quantised to 8 bits", each_matrix(parent, rounded(8))
    yield "quantised to 4 bits", each_matrix(parent, rounded(4))
    yield "quantised to 3 bits", each_matrix(parent, rounded(3))
    yield "fine-tuned, then 4 bits", each_matrix(tuned[40], rounded(4))
    for share in (0.2, 0.5, 0.8):
        yield f"pruned by magnitude, {share:.0%}", each_matrix(parent, pruned(share))
    for share in (0.05, 0.3, 1.0):
        yield f"adapter merged, {share:g} of the length", adapter(parent, random, share)
    yield "two fine-tunes merged, linear", linear(tuned[40], tuned[80], 0.5)
    yield "two fine-tunes merged, slerp", slerp(tuned[40], tuned[80])
    grown = dict(parent)
    added = random.normal(0, 0.1, (17, WIDTH)).astype(np.float32)
    grown["embed_tokens.weight"] = np.concatenate([parent["embed_tokens.weight"], added])
    yield "vocabulary longer by 17", grown
    yield "one layer dropped", dropped(parent, 1)


def pairs() -> Iterator[tuple[str, str, bool, Fingerprint, Fingerprint]]:
    """Yield (side, kind, related, one, other)."""
    for side, sets in SIDES.items():
        everyone: list[tuple[int, Fingerprint, list[Fingerprint]]] = []
        for data in sets:
            parents = [trained(data, 10 * data + seed) for seed in range(SEEDS)]
            for seed, parent in enumerate(parents):
                base, children = mark(parent), []
                for kind, child in family(parent, data, seed):
                    children.append(mark(child))
                    yield side, kind, True, children[-1], base
                yield side, "siblings: the longest fine-tune and 4 bits", True, children[2], children[5]
                everyone.append((data, base, children))
                stranger = parents[(seed + 1) % SEEDS]
                for share in (0.7, 0.5, 0.3):
                    kind = f"merged with a stranger, {share:g} of the parent"
                    yield side, kind, True, mark(linear(parent, stranger, share)), base
                yield side, "merged with a stranger, slerp", True, mark(slerp(parent, stranger)), base
        for (data, base, children), (data2, base2, children2) in combinations(everyone, 2):
            kind = "strangers, same data" if data == data2 else "strangers, other data"
            yield side, kind, False, base, base2
            for index, one in enumerate(children):
                yield side, f"{kind}, derivatives", False, one, (children2[index] if index % 2 else base2)


def fitted(z: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Return intercept and slope of a logistic regression, both kinds weighing the same, with a slight ridge on the slope."""
    x = np.stack([np.ones_like(z), np.clip(z, 0, 40)], 1)
    weight = np.where(truth, 0.5 / truth.sum(), 0.5 / (~truth).sum()) * len(z)
    beta = np.zeros(2)
    ridge = np.diag([0.0, 1.0])
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -500, 500)))
        gradient = x.T @ (weight * (p - truth)) + ridge @ beta
        beta -= np.linalg.solve((x * (weight * p * (1 - p))[:, None]).T @ x + ridge + 1e-9 * np.eye(2), gradient)
    return float(beta[0]), float(beta[1])


def rate(part: int, whole: int) -> str:
    """Return a share with its 95 % interval."""
    if whole == 0:
        return "not measured"
    _, low, high = wilson(part, whole, 0.95)
    return f"{part / whole:.3f} ({low:.3f} to {high:.3f}; {part} of {whole})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, help="keep what was measured here; read it where it exists")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.pairs and args.pairs.exists():
        show([tuple(row) for row in json.loads(args.pairs.read_text())])
        return
    rows = []
    for side, kind, truth, one, other in pairs():
        found = relate(one, other)
        assert isinstance(found, Related)
        relation = found.relation.value if found.relation else None
        rows.append((side, kind, truth, found.differing, found.z, found.probability, found.match, relation))
    if args.pairs:
        args.pairs.write_text(json.dumps(rows))
    show(rows)


def show(rows: list[tuple[str, str, bool, float, float, float, bool, str | None]]) -> None:
    """Print the tables."""
    rows = [(*row[:5], probability(row[4]), *row[6:]) for row in rows]  # by the constants of today
    train = [row for row in rows if row[0] == "train"]
    intercept, slope = fitted(np.array([row[4] for row in train]), np.array([row[2] for row in train]))
    print(f"fit on train ({len(train)} pairs): intercept {intercept:.2f}, slope {slope:.2f}\n")
    for side in SIDES:
        mine = [row for row in rows if row[0] == side]
        hits = sum(row[2] and row[6] for row in mine)
        kin, said = sum(row[2] for row in mine), sum(row[6] for row in mine)
        brier = {
            truth: float(np.mean([(row[5] - truth) ** 2 for row in mine if row[2] == truth])) for truth in (True, False)
        }
        print(f"{side}: {len(mine)} pairs, precision {rate(hits, said)}, recall {rate(hits, kin)},")
        print(f"  Brier (both kinds weigh the same) {(brier[True] + brier[False]) / 2:.1e}")
    test = [row for row in rows if row[0] == "test"]
    print(
        "\n| kind | pairs | bits that differ: mean | least | largest | match | probability: least | largest | named |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for kind in dict.fromkeys(row[1] for row in test):
        mine = [row for row in test if row[1] == kind]
        d, p = [row[3] for row in mine], [row[5] for row in mine]
        named: dict[str, int] = {}
        for row in mine:
            named[row[7] or "no match"] = named.get(row[7] or "no match", 0) + 1
        told = ", ".join(f"{name} {count}" for name, count in named.items())
        print(
            f"| {kind} | {len(mine)} | {np.mean(d):.3f} | {min(d):.3f} | {max(d):.3f} | {sum(row[6] for row in mine)} "
            f"| {min(p):.3f} | {max(p):.3f} | {told} |"
        )
    print("\n| probability said (calibration and test) | pairs | mean said | share related |")
    print("|---|---|---|---|")
    held = [row for row in rows if row[0] != "train"]
    for low, high in ((0, 0.01), (0.01, 0.05), (0.05, 0.5), (0.5, 0.95), (0.95, 0.99), (0.99, 1.01)):
        mine = [row for row in held if low <= row[5] < high]
        mean = f"{np.mean([row[5] for row in mine]):.4f}" if mine else "none said"
        print(
            f"| {low:g} to {min(high, 1):g} | {len(mine)} | {mean} | {rate(sum(row[2] for row in mine), len(mine))} |"
        )
    print(f"\nprobability at z = 0, 3, 6, 10: {[round(probability(z), 4) for z in (0.0, 3.0, 6.0, 10.0)]}")


if __name__ == "__main__":
    main()
