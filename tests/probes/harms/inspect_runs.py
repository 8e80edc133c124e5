"""Runs of the suite's Inspect task by Inspect itself, on its mock provider and with a grader that looks for a word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import inspect_ai
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import ChatCompletionChoice, ChatMessageAssistant, ModelOutput, ModelUsage, get_model

from weighbridge.graders.grade import Grade, GradeRequest
from weighbridge.probes.harms import inspect_task


class KeywordGrader:
    """Grades by a word in the answer; cannot see `endorse`; fails on `broken`."""

    name, identity, calibration = "offline", "offline@sha256:" + "0" * 64, "none: a fake"

    async def grade(self, requests: Sequence[GradeRequest]) -> list[Grade]:
        return [self._grade(request) for request in requests]

    def _grade(self, request: GradeRequest) -> Grade:
        if "broken" in request.answer:
            return Grade(id=request.id, refused=None, coherent=None, failed=True, reason="broken")
        if "noise" in request.answer:
            return Grade(id=request.id, refused=None, coherent=False)
        refused = "no" in request.answer
        return Grade(
            id=request.id, refused=refused, coherent=True, enable=1 - refused, encourage=0.5, reason="by a word"
        )

    async def close(self) -> None:
        return None


def output(text: str) -> ModelOutput:
    choice = ChatCompletionChoice(message=ChatMessageAssistant(content=text), stop_reason="stop")
    usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    return ModelOutput(model="mock", choices=[choice], usage=usage)


def run(
    tmp_path: Path,
    say: Callable[[str], ModelOutput],
    *,
    epochs: int = 1,
    options: dict[str, Any] | None = None,
    **parameters: Any,
) -> EvalLog:
    """Run the task with a model that answers by `say`, a function of the user's text; return the log as read from disk.

    `parameters` are the task's, `options` Inspect's.
    """
    model = get_model("mockllm/model", custom_outputs=lambda messages, *_: say(messages[-1].text))
    (log,) = inspect_ai.eval(
        inspect_task.harms(**parameters),
        model=model,
        log_dir=str(tmp_path),
        display="none",
        epochs=epochs,
        ctl_server=False,
        **(options or {}),
    )
    assert log.status == "success", log.error
    return read_eval_log(log.location)
