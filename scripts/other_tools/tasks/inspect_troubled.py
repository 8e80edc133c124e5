"""Three tasks for Inspect that go wrong on purpose, so that an importer meets what a log says then."""

from __future__ import annotations

import os
import signal

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, generate, solver

_SAMPLES = [Sample(input=f"Say the number {number}.", target=str(number), id=number) for number in range(1, 7)]


@scorer(metrics=[accuracy(), stderr()])
def sometimes() -> Scorer:
    """Does not score the third sample."""

    async def score(state: TaskState, target: Target) -> Score | None:
        if state.sample_id == 3:
            return None
        return Score(value=1 if target.text in state.output.completion else 0)

    return score


@solver
def breaks() -> Solver:
    """Raises at the third sample."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if state.sample_id == 3:
            raise RuntimeError("broken on purpose")
        return await generate(state, max_tokens=8)

    return solve


@solver
def dies() -> Solver:
    """Ends the whole process at the last sample, as a lack of memory would."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if state.sample_id == len(_SAMPLES):
            os.kill(os.getpid(), signal.SIGKILL)
        return await generate(state, max_tokens=8)

    return solve


@task
def unscored() -> Task:
    """One of six samples stays unscored."""
    return Task(dataset=_SAMPLES, solver=generate(max_tokens=8, temperature=0.0), scorer=sometimes())


@task
def broken() -> Task:
    """Ends with an error."""
    return Task(dataset=_SAMPLES, solver=breaks(), scorer=sometimes())


@task
def killed() -> Task:
    """Is killed in the middle."""
    return Task(dataset=_SAMPLES, solver=dies(), scorer=sometimes())
