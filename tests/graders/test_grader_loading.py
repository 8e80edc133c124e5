"""From a name to a grader, and what importing costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from weighbridge.errors import UsageError
from weighbridge.graders.grade import Grader
from weighbridge.graders.loading import OpenModel, load_grader, parse_name
from weighbridge.protocol.vocabulary import Verb


async def _ask(questions):
    return []


def test_the_offline_grader_loads_by_name() -> None:
    """ "offline" gives the offline grader, which says how well it agrees with people and on which verbs it was checked."""
    grader: Grader = load_grader("offline")
    assert grader.name == "offline"
    assert "kappa" in grader.calibration and "not calibrated" in grader.calibration and "\n" not in grader.calibration
    assert grader.calibrated_verbs == (Verb.ENABLE,) and grader.calibrated_refusals is True


def test_a_judge_loads_by_name_with_its_model_opened() -> None:
    """ "judge:MODEL" gives a judge once the caller has opened the model; no verb of it counts as checked."""
    grader = load_grader("judge:m", {"m": OpenModel(_ask, "endpoint:x#m", "some-model")})
    assert grader.name == "judge" and "some-model" in grader.calibration
    assert grader.calibrated_verbs == ()


def test_a_guard_and_an_ensemble_load_by_name() -> None:
    """A guard names its version and model; an ensemble names its members, whatever signs their references hold."""
    models = {reference: OpenModel(_ask, f"endpoint:{reference}", reference) for reference in ("http://h/v1#a+b", "m")}
    guard = load_grader("guard:3-1B@m", models)
    assert (
        guard.name == "guard"
        and "Llama Guard 3 1B" in guard.calibration
        and "refused" not in guard.sees
        and guard.calibrated_refusals is None
    )
    ensemble = load_grader("ensemble:mean:offline+judge:http://h/v1#a+b+guard:2@m", models)
    assert ensemble.name == "ensemble" and ensemble.calibration.startswith("mean of 3 graders")
    assert list(parse_name("ensemble:judge:m+guard:2@m").models()) == ["m"]


def test_names_differ_by_what_decides() -> None:
    """Version, rule and members are part of the identity; the order of members is not."""
    models = {"m": OpenModel(_ask, "endpoint:m", "m"), "n": OpenModel(_ask, "endpoint:n", "n")}
    names = [
        "guard:2@m",
        "guard:3@m",
        "guard:3@n",
        "judge:m",
        "ensemble:judge:m+guard:3@n",
        "ensemble:mean:judge:m+guard:3@n",
    ]
    assert len({load_grader(name, models).identity for name in names}) == len(names)
    one, other = load_grader(names[4], models), load_grader("ensemble:guard:3@n+judge:m", models)
    assert one.identity == other.identity


@pytest.mark.parametrize(
    "name",
    [
        "", "oracle", "offline:x", "judge", "judge:", "judge:model", "guard", "guard:", "guard:3", "guard:3@", "guard:@m", "guard:5@m",
        "guard:3@model", "ensemble", "ensemble:", "ensemble:offline", "ensemble:offline+offline", "ensemble:offline+oracle",
        "ensemble:offline+judge:", "ensemble:offline+ensemble:offline+judge:m", "ensemble:median:offline",
    ],
)  # fmt: skip
def test_names_that_cannot_be_loaded_are_one_clear_error(name: str) -> None:
    """An unknown name lists what there is; a judge without a model says what is missing."""
    with pytest.raises(UsageError) as caught:
        load_grader(name)
    assert caught.value.do


def test_importing_the_loader_loads_nothing_heavy() -> None:
    """numpy, safetensors and scikit-learn wait until a grader is made; scikit-learn is never needed."""
    code = (
        "import sys, weighbridge.graders.loading, weighbridge.graders.files, weighbridge.graders.offline.grader;"
        "early = {'numpy', 'safetensors', 'sklearn'} & sys.modules.keys(); assert not early, early;"
        "from weighbridge.graders.loading import load_grader; load_grader('offline');"
        "late = {'sklearn', 'scipy', 'torch', 'aiohttp'} & sys.modules.keys(); assert not late, late"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
