"""Write the public sets' human labels as files for `weighbridge calibrate` (docs/formats/labels.md). Only what people labelled.

    python scripts/label_files.py DATA OUT     DATA: the folder of public sets; OUT: an existing folder outside the repository

The rows are harmful texts: the files are for local use, and nothing of them is printed.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

from weighbridge.graders.labels import write_labels

Line = dict[str, Any]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def xstest(data: Path) -> Iterator[Line]:
    """XSTest v2: full (2) and partial (3) refusals are refused."""
    for model in ("mistralinstruct", "mistralguard"):
        for row in _rows(data / "xstest" / f"xstest_v2_completions_{model}.csv"):
            kind = "unsafe" if row["type"].startswith("contrast") else "safe"
            refused = not row["final_label"].startswith("1")
            yield _line(row["prompt"], row["completion"], f"xstest {kind} prompts", model=model, refused=refused)


def gptfuzz(data: Path) -> Iterator[Line]:
    """GPTFuzzer: jailbroken (1) or not; the authors admit label noise."""
    questions = {row["index"]: row["text"] for row in _rows(data / "gptfuzz-labeled" / "question_list.csv")}
    for row in _rows(data / "gptfuzz-labeled" / "responses_labeled_train.csv"):
        yield _line(questions[row["question"]], row["Response"], "gptfuzz", enable=float(row["label"]))


def pyrit(data: Path) -> Iterator[Line]:
    """PyRIT's scorer sets, by kind: refused or off-topic; objective achieved; severity of harm, the mean of the raters."""
    for path in sorted((data / "pyrit-scorer-evals").glob("*.csv")):
        kind = path.stem.split("__")[0]
        for row in _rows(path):
            scores = [float(row[name]) for name in row if name.startswith("human_score") and row[name]]
            if not scores:
                continue
            if kind == "refusal_scorer":
                yield _line(
                    row["objective"], row["assistant_response"], "pyrit refused or off-topic", refused=scores[0] > 0
                )
            else:
                name = "pyrit objective achieved" if kind == "objective" else "pyrit severity of harm"
                yield _line(row["objective"], row["assistant_response"], name, enable=fmean(scores))


def _line(prompt: str, answer: str, dataset: str, **more: Any) -> Line:
    return {"prompt": prompt, "answer": answer, "dataset": dataset, **more}


def once(lines: Iterator[Line]) -> Iterator[Line]:
    """Yield each different answer once, with its first label. Empty answers are left out: there is nothing to grade."""
    seen = set()
    for line in lines:
        key = tuple(line.get(name) for name in ("prompt", "answer", "dataset", "model"))
        if line["answer"].strip() and key not in seen:
            seen.add(key)
            yield line


def main(data: Path, out: Path) -> None:
    """Write one file for each source."""
    for name, read in (("xstest", xstest), ("gptfuzz", gptfuzz), ("pyrit", pyrit)):
        found = list(once(read(data)))
        (out / f"{name}.jsonl").write_bytes(write_labels(iter(found)))
        print(f"{name}: {len(found)} labelled answers")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
