"""Builds the compiled kernels of the pass over weights where there is a C compiler; without one the package works, slower."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("src/weighbridge/probes/checkpoint/weights")
# No fused or reordered arithmetic: the same numbers on every processor.
FLAGS = ("-O3", "-std=gnu11", "-ffp-contract=off", "-fno-math-errno", "-fPIC", "-shared", "-Wno-psabi")


class NativeKernels(BuildHookInterface[Any]):
    """Compiles native.c next to itself and takes the result into the wheel, which then is for this platform only."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before a wheel or an editable install is built."""
        if self.target_name != "wheel" or os.environ.get("WEIGHBRIDGE_NATIVE") == "0":
            return
        compiler = os.environ.get("CC") or next(filter(shutil.which, ("cc", "gcc", "clang")), None)
        if compiler is None:
            print("no C compiler: reading weights will be slower", file=sys.stderr)
            return
        folder = Path(self.root) / FOLDER
        built, target = folder / "native.compiled.part", folder / "native.compiled"
        command = [*compiler.split(), *FLAGS, str(folder / "native.c"), "-o", str(built)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(
                f"the compiled kernels were not built, reading weights will be slower:\n{done.stderr[-2000:]}",
                file=sys.stderr,
            )
            return
        built.replace(target)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["artifacts"].append(str(FOLDER / "native.compiled"))
