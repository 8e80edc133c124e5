"""What asking costs: CPU a question, next to a bare HTTP client in the same run, and what more connections bring.

    python benchmarks/asker.py [--rounds 5] [--inspect]

A mock endpoint runs in a process of its own. Steady CPU a question is the slope between 100 and 1,000 questions, 64 at once, so
that start-up does not count; our side stores every answer and logs an observation of each, the bare client only reads the
answer. Rounds take turns, and medians are printed. Exits with 1 when a target is missed.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this folder: inspect.py in it would stand in for the library's own module `inspect`

import argparse
import asyncio
import contextlib
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import aiohttp

from weighbridge.engine.asker import Asker, Event
from weighbridge.engine.endpoint import EndpointProvider
from weighbridge.engine.policy import InOrder
from weighbridge.engine.questions import Answer, Chat, Message, Question, Request
from weighbridge.engine.store import AnswerStore
from weighbridge.evidence.records import Measure, Measured, Observation
from weighbridge.protocol.model import Asking
from weighbridge.protocol.vocabulary import Rung

MOCK = Path(__file__).resolve().parents[1] / "tests" / "fakes" / "endpoint.py"
FEW, MANY, AT_ONCE = 100, 1_000, 64
MOST_TIMES_BARE = 4.0
PROTOCOL = "sha256:" + "0" * 64

_serial = count()  # every question of this process is new: the store must not answer it

Run = Callable[[str, int], Awaitable[None]]


@contextlib.contextmanager
def mock_endpoint(latency_ms: float) -> Iterator[str]:
    """Yield the reference of a mock endpoint in another process."""
    command = [sys.executable, str(MOCK), "--latency-ms", str(latency_ms)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as mock:
        assert mock.stdin is not None
        assert mock.stdout is not None
        yield mock.stdout.readline().strip()
        mock.stdin.close()


def prompt() -> str:
    """Return a prompt of a usual length that was not asked before."""
    return f"In one or two sentences, what would a careful person say about the number {next(_serial)} and its uses?"


async def bare(reference: str, questions: int) -> None:
    """Ask with aiohttp and nothing else: so many workers, one session."""
    base, _, model = reference.partition("#")
    left = iter(range(questions))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:

        async def work() -> None:
            for _ in left:
                body = {"model": model, "messages": [{"role": "user", "content": prompt()}], "max_tokens": 128}
                async with session.post(f"{base}/chat/completions", json=body) as response:
                    answer = await response.json()
                    assert answer["choices"][0]["message"]["content"]

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))


async def ours(reference: str, questions: int, at_once: int = AT_ONCE) -> None:
    """Ask as an assessment does: through policy, asker and store, with an observation logged for every reply."""
    base, _, model = reference.partition("#")
    provider = EndpointProvider(base, model, concurrency=(16, at_once))
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "evidence.jsonl").open("ab", buffering=0) as log:

        def observe(event: Event) -> None:
            if event.kind == "settled":
                assert isinstance(event.reply, Answer), event.reply
                log.write(_observation(event.question, event.reply).canonical() + b"\n")

        with AnswerStore(Path(folder) / "answers.jsonl") as store:
            asker = Asker({provider.subject: provider}, store, limits=Asking(concurrency=at_once), observe=observe)
            policy = InOrder(
                Question(provider.subject, str(n), Rung.API, "chat", 0, Request(Chat((Message("user", prompt()),))))
                for n in range(questions)
            )
            await asker.run(policy)
            assert len(store) == questions
    await provider.close()


def _observation(question: Question, answer: Answer) -> Observation:
    return Observation(
        subject=question.subject,
        protocol=PROTOCOL,
        probe="benchmark",
        measure=Measure.COHERENT,
        item=question.item,
        rung=question.rung,
        technique=question.technique,
        trial=question.trial,
        outcome=Measured(value=float(bool(answer.text))),
        source=question.key,
        seen_at=datetime.fromtimestamp(answer.asked_at, UTC),
    )


def inspect_run() -> Run | None:
    """Return the same with Inspect AI, or None when it is not installed."""
    try:
        import inspect_ai
        import openai  # noqa: F401  (Inspect's OpenAI-compatible provider needs it)
        from inspect_ai.dataset import MemoryDataset, Sample
        from inspect_ai.model import GenerateConfig, get_model
        from inspect_ai.solver import generate
    except ImportError:
        return None

    async def run(reference: str, questions: int) -> None:
        base, _, name = reference.partition("#")
        model = get_model(
            f"openai-api/mock/{name}",
            base_url=base,
            api_key="none",
            config=GenerateConfig(max_connections=AT_ONCE, max_tokens=128),
            memoize=False,
        )
        task = inspect_ai.Task(dataset=MemoryDataset([Sample(prompt()) for _ in range(questions)]), solver=generate())
        with tempfile.TemporaryDirectory() as folder:
            [log] = await inspect_ai.eval_async(task, model=model, log_dir=folder, max_samples=AT_ONCE)
            assert log.status == "success", log.error

    return run


def cpu_s(run: Run, reference: str, questions: int) -> float:
    """Return the CPU seconds of this process for asking so many questions."""
    began_s = time.process_time()
    asyncio.run(run(reference, questions))  # type: ignore[arg-type]
    return time.process_time() - began_s


def steady_cpu_ms(run: Run, reference: str) -> float:
    """Return CPU milliseconds a question: the slope between few and many."""
    few_s, many_s = cpu_s(run, reference, FEW), cpu_s(run, reference, MANY)
    return (many_s - few_s) / (MANY - FEW) * 1_000


def rate(reference: str, at_once: int) -> float:
    """Return questions a second, start included."""
    began_s = time.perf_counter()
    asyncio.run(ours(reference, MANY, at_once))
    return MANY / (time.perf_counter() - began_s)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--inspect", action="store_true", help="measure Inspect AI too (some 40 s a round)")
    arguments = parser.parse_args()

    runs: dict[str, Run] = {"bare aiohttp": bare, "weighbridge": ours}
    if arguments.inspect:
        if (other := inspect_run()) is None:
            print("Inspect AI: skipped (install the extra `inspect`)")
        else:
            runs["Inspect AI"] = other
    print(f"steady CPU a question, {AT_ONCE} at once, {arguments.rounds} rounds:")
    cost: dict[str, list[float]] = {name: [] for name in runs}
    with mock_endpoint(latency_ms=0) as reference:
        for run in runs.values():
            cpu_s(run, reference, FEW)  # warm up: imports and caches
        for _ in range(arguments.rounds):
            for name, run in runs.items():
                cost[name].append(steady_cpu_ms(run, reference))
    ratios = {}
    for name, measured in cost.items():
        pairs = [one / bare_one for one, bare_one in zip(measured, cost["bare aiohttp"], strict=True)]
        ratios[name] = statistics.median(pairs)
        print(f"  {name:<14} {statistics.median(measured):6.3f} ms   {ratios[name]:6.2f} x bare")

    print(f"questions a second at 200 ms latency, {MANY} questions:")
    rates: dict[int, list[float]] = {64: [], 128: []}
    with mock_endpoint(latency_ms=200) as reference:
        for _ in range(min(3, arguments.rounds)):
            for at_once, seen in rates.items():
                seen.append(rate(reference, at_once))
    for at_once, seen in rates.items():
        print(f"  {at_once:>3} connections {statistics.median(seen):6.0f} /s")
    gain = statistics.median(rates[128]) / statistics.median(rates[64])
    print(f"  128 over 64: {gain:.2f}")

    met = ratios["weighbridge"] <= MOST_TIMES_BARE and gain > 1
    print(f"targets (at most {MOST_TIMES_BARE:g} x bare, 128 faster than 64): {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
