"""The ten questions as a task for Inspect: the model writes, and the answer has to occur in what it wrote."""

from __future__ import annotations

import json
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes
from inspect_ai.solver import generate


@task
def general_knowledge() -> Task:
    """Ten questions, one short answer each."""
    lines = [json.loads(line) for line in Path(__file__).with_name("questions.jsonl").read_text().splitlines()]
    samples = [Sample(input=line["question"], target=line["choices"][line["answer"]]) for line in lines]
    return Task(dataset=samples, solver=generate(max_tokens=32, temperature=0.0), scorer=includes(), version=1)
