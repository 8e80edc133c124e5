"""How often the interval of Krippendorff's alpha holds the truth, by simulation: the table of docs/methods/agreement.md.

python scripts/alpha_coverage.py [SAMPLES]      # 400 by default, some minutes on one core
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from weighbridge.analysis.krippendorff import Metric, Rating, alpha
from weighbridge.evidence.records import Estimate

SEED, TRUTH_UNITS, LEVEL = 7, 200_000, 0.95


@dataclass(frozen=True)
class Scene:
    """`shares` of the true values; a rater errs with chance `errs` (names: any other value; an order: one step). Answers of a cluster are rated as its
    first one was with chance `alike`."""

    name: str
    answers: int
    shares: tuple[float, ...]
    errs: float
    metric: Metric = Metric.NOMINAL
    raters: int = 2
    cluster: int = 1
    alike: float = 0.0


HALF, SEVEN = (0.5, 0.5), (0.7, 0.3)
SCENES = (
    Scene("harmful", 10, SEVEN, 0.02),
    Scene("harmful", 30, SEVEN, 0.02),
    Scene("harmful", 30, HALF, 0.2),
    Scene("harmful", 100, (0.9, 0.1), 0.05),
    Scene("harmful", 100, HALF, 0.2),
    Scene("harmful", 400, SEVEN, 0.05),
    Scene("harmful, three raters", 30, HALF, 0.1, raters=3),
    Scene("category (13)", 30, (1 / 13,) * 13, 0.1),
    Scene("category (13)", 100, (1 / 13,) * 13, 0.1),
    Scene("severity (4)", 30, (0.25,) * 4, 0.3, Metric.ORDINAL),
    Scene("severity (4)", 100, (0.4, 0.3, 0.2, 0.1), 0.3, Metric.ORDINAL),
    Scene("harmful, half of a cluster rated alike", 100, SEVEN, 0.1, cluster=4, alike=0.5),
    Scene("harmful, half of a cluster rated alike", 200, SEVEN, 0.1, cluster=4, alike=0.5),
    Scene("harmful, half of a cluster rated alike", 100, SEVEN, 0.1, cluster=20, alike=0.5),
    Scene("harmful, half of a cluster rated alike", 400, SEVEN, 0.1, cluster=20, alike=0.5),
)


def drawn(scene: Scene, answers: int, random: np.random.Generator) -> list[Rating]:
    """Return one sample's ratings."""
    kinds = len(scene.shares)
    truths = random.choice(kinds, p=scene.shares, size=(answers, 1))
    errs = random.random((answers, scene.raters)) < scene.errs
    if scene.metric is Metric.NOMINAL:
        wrong = (truths + random.integers(1, kinds, size=errs.shape)) % kinds
    else:
        wrong = np.clip(truths + random.choice((-1, 1), size=errs.shape), 0, kinds - 1)
    said = np.where(errs, wrong, truths)
    first = np.arange(answers) // scene.cluster * scene.cluster
    said = np.where(random.random((answers, 1)) < scene.alike, said[first], said)
    return [
        Rating(str(unit), str(rater), int(said[unit, rater]), f"cluster {unit // scene.cluster}")
        for unit in range(answers)
        for rater in range(scene.raters)
    ]


def truth_of(scene: Scene) -> float:
    """Return alpha of very many answers."""
    alone = Scene(scene.name, scene.answers, scene.shares, scene.errs, scene.metric, scene.raters)
    found = alpha(drawn(alone, TRUTH_UNITS, np.random.default_rng(1)), scene.metric, draws=1)
    assert isinstance(found, Estimate)
    return found.value


def main(samples: int = 400) -> None:
    """Print one row of the table for each scene."""
    print("| field | answers (in a cluster) | commonest value | a rater errs | alpha | covered | mean width |")
    print("|---|---|---|---|---|---|---|")
    random = np.random.default_rng(SEED)
    for scene in SCENES:
        truth = truth_of(scene)
        found = [alpha(drawn(scene, scene.answers, random), scene.metric, LEVEL) for _ in range(samples)]
        measured = [one for one in found if isinstance(one, Estimate)]
        covered = sum(one.low <= truth <= one.high for one in measured) / len(measured)
        width = sum(one.high - one.low for one in measured) / len(measured)
        print(
            f"| {scene.name} | {scene.answers} ({scene.cluster}) | {max(scene.shares):.2f} | {scene.errs:.2f} | {truth:.2f} |"
            f" {covered:.3f} | {width:.2f} |"
            + (f" not measured: {samples - len(measured)}" if len(measured) < samples else ""),
            flush=True,
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
