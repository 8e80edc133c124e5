"""What to ask next, and when to stop: the sequential design as the asker's policy.

Asking goes in rounds. After each the same analysis that the dossier will show looks at what was seen, and the next round goes to
what is still open, nearest to a decision first: the comparisons over all prompts, then categories, then single cells. A comparison is
open until it is decided, its prompts are used up, or the prompts left cannot be expected to decide it; the one that the headline
stands on is never given up. So every round depends on answers alone, never on who answered first: the same command run again asks the
same questions, finds them in the store, and makes no call.

Nothing here can spend the verdicts' promise: they hold at any stopping time, as long as prompts count in the order that the
seed drew, which is why a round always takes the *next* prompts of that order (docs/methods/sequential.md).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from weighbridge.analysis.comparisons import ALL, Standing
from weighbridge.engine.questions import Question, Reply
from weighbridge.evidence.records import Measure
from weighbridge.probes.harms.items import Prompt, Suite
from weighbridge.probes.harms.probe import BLOCK_PROMPTS, Trial
from weighbridge.protocol.model import AssessmentProtocol, Stopping
from weighbridge.protocol.vocabulary import Contrast, Rung, Verb, Verdict

# A comparison is given up when more than so many times the prompts left would be expected to settle it: an expectation, so
# a comparison over all prompts gets the benefit of the doubt.
PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Side:
    """One subject on one rung: what is asked of a prompt together."""

    subject: str
    rung: Rung


class Rounds:
    """The policy: hands out a round's questions in order, and makes the next round from what the last one brought.

    `decides`: whether a comparison is the one that the headline stands on. `hear` gets every reply.
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        suite: Suite,
        protocol: AssessmentProtocol,
        candidate: str,
        hear: Callable[[Question, Reply, bool], None],
    ) -> None:
        self._prompts = suite.prompts
        self._stopping: Stopping = protocol.stopping
        self._judgement = protocol.judgement
        self._candidate, self._hear = candidate, hear
        self._questions: defaultdict[tuple[str, Side], list[Question]] = defaultdict(list)
        for trial in trials:
            if trial.question is not None:
                self._questions[trial.prompt.id, Side(trial.subject, trial.rung)].append(trial.question)
        self._subjects = list(dict.fromkeys(trial.subject for trial in trials))
        self._sides = list(dict.fromkeys(side for _, side in self._questions))
        self._asked: set[tuple[str, Side]] = set()
        self._rest: Iterator[Question] = iter(())

    def next_question(self) -> Question | None:
        return next(self._rest, None)

    def told(self, question: Question, reply: Reply, *, from_store: bool) -> None:
        self._hear(question, reply, from_store)

    def first(self) -> list[Question]:
        """Begin the first round and return its questions: everything, or enough of each cell to draw the ladder."""
        prompts = self._least() if self._stopping.early else self._prompts
        return self._begin((prompt.id, side) for prompt in prompts for side in self._sides)

    def following(self, standings: Sequence[Standing]) -> list[Question]:
        """Begin the next round by what is seen so far, and return its questions; none when asking ends."""
        if not self._stopping.early:
            return []
        whole = [each for each in standings if each.scope == ALL]
        if places := self._next_of(self._open(whole), each_gets=self._stopping.look_every):
            return self._begin(places)
        for cells in (False, True):
            scoped = [each for each in standings if each.scope != ALL and ("/" in each.scope) is cells]
            if places := self._next_of(self._open(scoped), shared=self._stopping.look_every):
                return self._begin(places)
        return []

    def _least(self) -> list[Prompt]:
        """Return the fewest first prompts of each kind (a verb, or benign) that hold the promised number of every category."""
        kinds: defaultdict[Verb | None, list[Prompt]] = defaultdict(list)
        for prompt in self._prompts:
            kinds[prompt.verb].append(prompt)
        least = {prompt.id for prompts in kinds.values() for prompt in prompts[: self._reach(prompts)]}
        return [prompt for prompt in self._prompts if prompt.id in least]

    def _reach(self, prompts: Sequence[Prompt]) -> int:
        cells = Counter(prompt.category for prompt in prompts)
        want = {category: min(count, self._stopping.least_per_cell) for category, count in cells.items()}
        for number, prompt in enumerate(prompts, 1):
            want[prompt.category] -= 1
            if all(left <= 0 for left in want.values()):
                return number
        return len(prompts)

    def _open(self, comparisons: Iterable[Standing]) -> list[Standing]:
        """Return those still worth asking for, nearest to a decision first."""
        found = [(distance, each) for each in comparisons if (distance := self._distance(each)) is not None]
        return [each for _, each in sorted(found, key=lambda pair: pair[0])]

    def _distance(self, comparison: Standing) -> float | None:
        """How many more prompts are expected to decide it; None when it is decided or not worth asking for."""
        if comparison.verdict is not Verdict.UNDECIDED:
            return None
        left = len(self._left(comparison))
        if not left:
            return None
        if self._decides(comparison):
            return 0.0 if comparison.measured or not comparison.taken else None
        if comparison.needed is None:
            return None
        patience = PATIENCE if comparison.scope == ALL else 1.0
        return comparison.needed if comparison.needed <= patience * left else None

    def _decides(self, comparison: Standing) -> bool:
        return (
            comparison.scope == ALL
            and comparison.measure is Measure.HARM
            and comparison.contrast is self._contrast()
            and (comparison.contrast is Contrast.OPENING or comparison.baseline.subject == self._baselines()[0])
        )

    def _contrast(self) -> Contrast:
        return self._judgement.decide_on if self._baselines() else Contrast.OPENING

    def _baselines(self) -> list[str]:
        return [subject for subject in self._subjects if subject != self._candidate]

    def _needs(self, comparison: Standing) -> list[Side]:
        """Opening needs all rungs of the candidate; a counterfactual its most open one, and all that the baseline has."""
        if comparison.contrast is Contrast.OPENING:
            return [side for side in self._sides if side.subject == self._candidate]
        return [Side(self._candidate, comparison.candidate.rung)] + [
            side for side in self._sides if side.subject == comparison.baseline.subject
        ]

    def _left(self, comparison: Standing) -> list[Prompt]:
        """Return the prompts of its scope of which something that it needs was not asked, in order."""
        needs = self._needs(comparison)
        return [
            prompt
            for prompt in self._prompts
            if self._in_scope(prompt, comparison)
            and any((prompt.id, side) in self._questions and (prompt.id, side) not in self._asked for side in needs)
        ]

    def _in_scope(self, prompt: Prompt, comparison: Standing) -> bool:
        if prompt.benign is not (comparison.measure is Measure.ANSWERED):
            return False
        category, _, verb = comparison.scope.partition("/")
        if category not in (ALL, prompt.category.value):
            return False
        return prompt.verb is None or (prompt.verb.value == verb if verb else prompt.verb in self._judgement.verbs)

    def _next_of(
        self, comparisons: Sequence[Standing], *, each_gets: int = 0, shared: int = 0
    ) -> list[tuple[str, Side]]:
        """Return the next places of these comparisons: so many prompts for each, or so many shared among the nearest."""
        places: dict[tuple[str, Side], None] = {}
        for comparison in comparisons:
            if shared:
                each_gets = min(shared - len({item for item, _ in places}), comparison.needed or shared)
            if each_gets <= 0:
                break
            for prompt in self._left(comparison)[:each_gets]:
                places.update(dict.fromkeys((prompt.id, side) for side in self._needs(comparison)))
        return list(places)

    def _begin(self, places: Iterable[tuple[str, Side]]) -> list[Question]:
        """Make these places the round. Subjects take turns in blocks of prompts, so that an ended run has complete pairs."""
        fresh = [place for place in dict.fromkeys(places) if place in self._questions and place not in self._asked]
        self._asked.update(fresh)
        items = {item: count // BLOCK_PROMPTS for count, item in enumerate(dict.fromkeys(item for item, _ in fresh))}
        fresh.sort(key=lambda place: (items[place[0]], self._subjects.index(place[1].subject)))
        questions = list({q.key: q for place in fresh for q in self._questions[place]}.values())
        self._rest = iter(questions)
        return questions
