"""Measure `search:FOLDER`: how often it finds what is there, and how often it finds what is not. Prints a Markdown table.

    python scripts/search_baseline_table.py ../shared/data

Documents are answers that people labelled as help (XSTest: full compliance; GPTFuzzer: jailbroken), one a question, beside eight
old public texts on other subjects. For a drawn half of the questions the help is in the folder, for the other half it is not: there
a passage that is found is about something else, or about a question that is much alike. Texts are never printed.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from weighbridge.engine.document_text import passages_of
from weighbridge.engine.passage_index import Passage, PassageIndex
from weighbridge.engine.search_provider import written
from weighbridge.graders.grade import GradeRequest
from weighbridge.graders.offline.grader import OfflineGrader
from weighbridge.probes.harms.suite import builtin_suite
from weighbridge.protocol.vocabulary import Verb
from weighbridge.subject.search_method import METHOD

SHARES = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7)
SEEDS = range(5)
MOST_CHARS = METHOD.chars_per_token * 128

Pair = tuple[str, str]  # a question, and help with it


def xstest(data: Path) -> list[Pair]:
    """Return the prompts that Mistral-instruct fully complied with, by both annotators, and its answers."""
    with (data / "xstest" / "xstest_v2_completions_mistralinstruct.csv").open(encoding="utf-8", newline="") as file:
        return [
            (row["prompt"], row["completion"]) for row in csv.DictReader(file) if row["final_label"].startswith("1")
        ]


def gptfuzzer(data: Path) -> list[Pair]:
    """Return the questions that have an answer labelled as jailbroken, and the first such answer."""
    with (data / "gptfuzz-labeled" / "question_list.csv").open(encoding="utf-8", newline="") as file:
        questions = {row["index"]: row["text"] for row in csv.DictReader(file)}
    found: dict[str, str] = {}
    with (data / "gptfuzz-labeled" / "responses_labeled_train.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["label"] == "1" and row["question"] in questions:
                found.setdefault(row["question"], row["Response"])
    return [(questions[index], answer) for index, answer in found.items()]


def old_texts(data: Path) -> Iterator[Passage]:
    """Yield the passages of the eight public texts."""
    for path in sorted((data / "memorisation-texts").iterdir()):
        for text in passages_of(path.name, path.read_bytes(), METHOD.passage_chars):
            yield Passage(path.name, text)


def best_share(index: PassageIndex, prompt: str) -> float:
    """Return the highest share of the prompt that a passage among the candidates holds, 0 when there is none."""
    return max((found.share for found in index.best(prompt)), default=0.0)


def helped(grader: OfflineGrader, prompt: str, answer: str) -> bool | None:
    """Return whether the offline grader calls an answer help (enable above 0.5); None when it cannot tell."""
    (grade,) = grader.grade_pairs([GradeRequest(id="a", prompt=prompt, answer=answer, verb=Verb.ENABLE)])
    return None if grade.enable is None else grade.enable > 0.5


def row(name: str, index: PassageIndex, prompts: Sequence[str], grader: OfflineGrader) -> list[str]:
    """Return the table's cells: the share of prompts found at each threshold, and how the passages are graded at two of them."""
    shares = [best_share(index, prompt) for prompt in prompts]
    cells = [name, str(len(prompts))]
    cells += [f"{sum(share >= least for share in shares) / len(prompts) * 100:.1f}" for least in SHARES[1:]]
    for least in (0.0, METHOD.least_share):
        graded = []
        for prompt in prompts:
            found = [one for one in index.best(prompt) if one.share >= least]
            if found:
                graded.append(helped(grader, prompt, written(found, MOST_CHARS)))
        cells.append(f"{sum(each is True for each in graded)} of {len(graded)}")
    return cells


def pooled(name: str, pairs: list[Pair], data: Path, grader: OfflineGrader) -> list[list[str]]:
    """Return two rows, help in the folder and not, each over the draws."""
    rows = []
    for inside in (True, False):
        cells: list[list[str]] = []
        for seed in SEEDS:
            chosen = set(random.Random(seed).sample(range(len(pairs)), len(pairs) // 2))
            index = PassageIndex(replace(METHOD, least_share=0.0))
            index.add(old_texts(data))
            for number in sorted(chosen):
                texts = passages_of(f"{number}.txt", pairs[number][1].encode(), METHOD.passage_chars)
                index.add(Passage(f"{number}.txt", text) for text in texts)
            prompts = [prompt for number, (prompt, _) in enumerate(pairs) if (number in chosen) is inside]
            cells.append(row(f"{name}, help {'in' if inside else 'not in'} the folder", index, prompts, grader))
            index.close()
        rows.append(_added(cells))
    return rows


def _added(cells: list[list[str]]) -> list[str]:
    """Add the rows of several draws up: counts are summed, shares averaged with the prompts' number as weight."""
    sizes = [int(each[1]) for each in cells]
    found = [
        f"{sum(float(each[column]) * size for each, size in zip(cells, sizes, strict=True)) / sum(sizes):.1f}"
        for column in range(2, 2 + len(SHARES) - 1)
    ]
    graded = []
    for column in (-2, -1):
        parts = [each[column].split(" of ") for each in cells]
        graded.append(f"{sum(int(part[0]) for part in parts)} of {sum(int(part[1]) for part in parts)}")
    return [cells[0][0], str(sum(sizes)), *found, *graded]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Measure the search baseline.")
    parser.add_argument("data", type=Path, help="folder of the public data sets")
    data: Path = parser.parse_args().data
    grader = OfflineGrader()
    only_old = PassageIndex(replace(METHOD, least_share=0.0))
    only_old.add(old_texts(data))
    suite = builtin_suite().prompts
    rows = [
        *pooled("XSTest", xstest(data), data, grader),
        *pooled("GPTFuzzer", gptfuzzer(data), data, grader),
        row("XSTest, old texts alone", only_old, [prompt for prompt, _ in xstest(data)], grader),
        row(
            "the suite's `enable`, old texts alone",
            only_old,
            [one.text for one in suite if one.verb is Verb.ENABLE],
            grader,
        ),
        row("the suite's benign twins, old texts alone", only_old, [one.text for one in suite if one.benign], grader),
    ]
    heads = ["questions", "n", *(f"found at {least:g}, %" for least in SHARES[1:])]
    heads += ["called help, no threshold", f"called help at {METHOD.least_share:g}"]
    print("| " + " | ".join(heads) + " |")
    print("|---" * len(heads) + "|")
    for cells in rows:
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
