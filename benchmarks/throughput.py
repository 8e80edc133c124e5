"""Tokens a second of our asker on a real model in process, next to the bare llama.cpp server in the same run.

    python benchmarks/throughput.py [--model FILE.gguf] [--rounds 3] [--questions 24] [--slots 4]

The bare server runs in a process of its own and is asked by a bare aiohttp client; ours is the provider that an assessment uses,
with policy, asker and answer store. Both have the same slots and threads, get the same prompts, greedily, and take turns.
Medians are printed. Exits with 1 when ours has less than 0.9 of the bare server's rate. Needs a quiet machine: llama.cpp's threads
wait for each other, so anything else that runs slows both sides down.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this folder: inspect.py in it would stand in for the library's own module `inspect`

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import aiohttp

from weighbridge.engine.asker import Asker
from weighbridge.engine.llamacpp import SLOTS, LlamaCppProvider
from weighbridge.engine.policy import InOrder
from weighbridge.engine.questions import Answer, Chat, Decoding, Message, Question, Request
from weighbridge.engine.store import AnswerStore
from weighbridge.protocol.model import Asking
from weighbridge.protocol.vocabulary import Rung
from weighbridge.subject.locations import GGUFLocation
from weighbridge.subject.references import resolve

LEAST_OF_BARE = 0.9
MAX_TOKENS = 48

# The bare server, as a process of its own: slots, threads and context as the provider sets them, all else left alone.
_BARE_SERVER = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port, params.verbosity = sys.argv[1], 0, -1
params.n_parallel = int(sys.argv[2])
params.n_ctx = int(sys.argv[3])
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = int(sys.argv[4])
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def bare_server(model: Path, slots: int, context_tokens: int) -> Iterator[str]:
    """Yield the address of a bare llama.cpp server."""
    threads = len(os.sched_getaffinity(0))
    command = [sys.executable, "-c", _BARE_SERVER, str(model), str(slots), str(context_tokens), str(threads)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.stdin.close()


def prompts(round_number: int, questions: int) -> list[str]:
    """Return prompts that no round before has asked."""
    return [
        f"Tell me in a few sentences what number {1000 * round_number + n} may stand for in everyday life, and why."
        for n in range(questions)
    ]


async def ask_bare(address: str, texts: Sequence[str], at_once: int) -> float:
    """Return tokens a second of the bare server."""
    tokens, left = 0, iter(texts)
    async with aiohttp.ClientSession() as session:

        async def work() -> None:
            nonlocal tokens
            for text in left:
                body = {
                    "messages": [{"role": "user", "content": text}],
                    "max_tokens": MAX_TOKENS,
                    "temperature": 0,
                }
                async with session.post(f"{address}/v1/chat/completions", json=body) as response:
                    tokens += (await response.json())["usage"]["completion_tokens"]

        began_s = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(at_once)))
    return tokens / (time.perf_counter() - began_s)


async def ask_ours(provider: LlamaCppProvider, texts: Sequence[str], store: AnswerStore) -> float:
    """Return tokens a second through the asker."""
    policy = InOrder(
        Question(
            provider.subject,
            str(n),
            Rung.API,
            "chat",
            0,
            Request(Chat((Message("user", text),)), Decoding(max_tokens=MAX_TOKENS)),
        )
        for n, text in enumerate(texts)
    )
    began_s = time.perf_counter()
    await Asker({provider.subject: provider}, store, limits=Asking()).run(policy)
    took_s = time.perf_counter() - began_s
    replies = [reply for _, reply in policy.replies if isinstance(reply, Answer)]
    assert len(replies) == len(texts)
    return sum(reply.completion_tokens or 0 for reply in replies) / took_s


async def measure(model: Path, arguments: argparse.Namespace) -> tuple[list[float], list[float]]:
    """Return the rates of both, round by round."""
    provider = LlamaCppProvider(model, None, "sha256:" + "0" * 64, chat_template=True, slots=arguments.slots)
    bare_rates, our_rates = [], []
    with tempfile.TemporaryDirectory() as folder, AnswerStore(Path(folder) / "answers.jsonl") as store:  # noqa: SIM117 - the store outlives the server
        with bare_server(model, arguments.slots, provider.context_tokens) as address:
            try:
                for round_number in range(arguments.rounds + 1):
                    texts = prompts(round_number, arguments.questions if round_number else arguments.slots)
                    rates = (await ask_bare(address, texts, arguments.slots), await ask_ours(provider, texts, store))
                    if round_number:  # the first is for warming up
                        bare_rates.append(rates[0])
                        our_rates.append(rates[1])
                        print(f"  round {round_number}: bare {rates[0]:.1f}, ours {rates[1]:.1f} tokens/s", flush=True)
            finally:
                await provider.close()
    return bare_rates, our_rates


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a GGUF file (default: demo:smollm2)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--questions", type=int, default=24)
    parser.add_argument("--slots", type=int, default=SLOTS)
    arguments = parser.parse_args()
    model = arguments.model
    if model is None:
        location = resolve("demo:smollm2", environ=os.environ).location
        assert isinstance(location, GGUFLocation)
        model = location.path
    print(f"{model.name}, {arguments.slots} at once, {MAX_TOKENS} tokens at most, {arguments.rounds} rounds:")
    bare_rates, our_rates = asyncio.run(measure(model, arguments))
    ratio = statistics.median(one / other for one, other in zip(our_rates, bare_rates, strict=True))
    print(f"bare llama.cpp server {statistics.median(bare_rates):6.1f} tokens/s")
    print(f"weighbridge           {statistics.median(our_rates):6.1f} tokens/s")
    print(f"ratio {ratio:.2f}, target at least {LEAST_OF_BARE}: {'met' if ratio >= LEAST_OF_BARE else 'MISSED'}")
    return 0 if ratio >= LEAST_OF_BARE else 1


if __name__ == "__main__":
    sys.exit(main())
