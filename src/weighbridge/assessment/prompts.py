"""The prompts that a protocol asks for, whether it is about to be run or was run before."""

from __future__ import annotations

from pathlib import Path

from weighbridge.errors import ProtocolError
from weighbridge.probes.harms.items import Suite
from weighbridge.probes.harms.public_sets import load_prompts
from weighbridge.probes.harms.suite import builtin_suite, select
from weighbridge.protocol.model import AssessmentProtocol


def prompts_of(protocol: AssessmentProtocol) -> Suite:
    """Return the prompts that the protocol selects, in the order of asking.

    A digest that it pins is that of the prompts selected (as a run writes it) or of the whole suite. Raises `ProtocolError` when they
    are not the ones it pinned, or no harm prompt is among them.
    """
    prompts = protocol.prompts
    whole = builtin_suite() if prompts.suite == "builtin" else load_prompts(Path(prompts.suite), prompts.format)
    chosen = select(whole, prompts, protocol.seed)
    if prompts.digest is not None and prompts.digest not in (chosen.digest, whole.digest):
        raise ProtocolError(
            [f"prompts.digest: the prompts found are {chosen.digest}, not the pinned {prompts.digest}"],
            where=protocol.name,
        )
    if not any(not prompt.benign for prompt in chosen.prompts):
        raise ProtocolError(["prompts: no harm prompt is selected; widen categories or verbs"], where=protocol.name)
    return chosen
