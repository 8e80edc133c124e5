"""At which strength should an adapter ship? Both curves over strengths, on the prompts held back for choosing.

    python scripts/guarded/scales.py --model SmolLM2-135M-Instruct.Q4_1.gguf --adapter runs/seed-1/step-300.gguf \\
        --scales 0,0.8,1,1.25 --out runs/seed-1/scales.json

Asks llama.cpp greedily. Writes counts only; scripts/guarded/ship.py --scale ships the chosen strength.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from guarded.measure import SLOTS, Server
from guarded.prompts import SHARED, collect
from guarded.reading import refused

TOKENS = 48  # whole answers: a shorter one may be cut before the word that declines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "adapter", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--scales", default="0,0.8,1,1.25", help="numbers with commas between")
    parser.add_argument("--data", type=Path, default=SHARED)
    options = parser.parse_args()
    try:
        scales = [float(number) for number in options.scales.split(",")]
    except ValueError:
        parser.error(f"--scales {options.scales}: give numbers with commas between, e.g. 0,0.8,1")
    collection = collect(options.data)
    points = []
    for scale in scales:
        server = Server(options.model, options.adapter, scale)
        try:
            point: dict[str, float] = {"scale": scale}
            for name, harmful in (("harmful", True), ("benign", False)):
                texts = [item.text for item in collection.take("choose", harmful=harmful)]
                with concurrent.futures.ThreadPoolExecutor(SLOTS) as pool:
                    answers = list(pool.map(lambda text, server=server: server.chat(text, TOKENS), texts))
                point |= {f"{name}_refused": sum(map(refused, answers)), f"{name}_n": len(texts)}
        finally:
            server.close()
        points.append(point)
        print(point, flush=True)
        options.out.write_text(json.dumps(points, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
