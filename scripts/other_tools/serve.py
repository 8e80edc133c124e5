"""Serve SmolLM2 from the user's cache on the loopback address, as an OpenAI-compatible endpoint, until interrupted.

python -m scripts.other_tools.serve [PORT]
"""

from __future__ import annotations

import os
import signal
import sys

from weighbridge.subject.demo import DEMO_MODELS, cache_folder, fetch_demo


def main() -> None:
    """Load the model, print the endpoint's address, wait."""
    import xllamacpp

    path = fetch_demo(DEMO_MODELS["smollm2"], cache_folder(os.environ))
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {"smollm2"}
    params.port = int(sys.argv[1]) if len(sys.argv) > 1 else 8089
    params.hostnames = ["127.0.0.1"]
    params.n_ctx, params.n_parallel, params.cpuparams.n_threads = 4096, 2, 2
    params.verbosity, params.use_jinja, params.ui = -1, True, False
    server = xllamacpp.Server(params)
    print(f"{server.listening_address}/v1", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
