"""Which globals a pickle may resolve and call: `data/globals.toml` decides, exactly or by class, never by a block-list."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

# Classes that a module may have imported and that do things when they are called.
_NEVER = frozenset(
    {"CDLL", "FileIO", "Parallel", "Popen", "Process", "ProcessPoolExecutor", "PyDLL", "Thread", "Timer"}
)


@dataclass(frozen=True, slots=True)
class Policy:
    """`names` are exact pairs; `classes` are modules whose capitalised names are allowed, with those of the modules below.

    `calls_argument` says of allowed functions which of their arguments they call, and which one they give to it.
    """

    names: frozenset[tuple[str, str]]
    classes: tuple[str, ...]
    calls_argument: dict[str, tuple[int, int]]
    dangerous: dict[str, str]

    def allows(self, module: str, name: str) -> bool:
        """Return whether the global may be resolved and called.

        >>> policy().allows("collections", "OrderedDict"), policy().allows("os", "system")
        (True, False)
        >>> policy().allows("sklearn.svm._classes", "SVC"), policy().allows("sklearn.datasets", "fetch_openml")
        (True, False)
        """
        if (module, name) in self.names:
            return True
        name = name.removeprefix("__pyx_unpickle_")  # Cython's maker of a class, which is itself judged
        if not name.isidentifier() or not name.lstrip("_")[:1].isupper() or name in _NEVER or "test" in module:
            return False
        return any(module == prefix or module.startswith(prefix + ".") for prefix in self.classes)

    def danger(self, module: str, name: str) -> str | None:
        """Return what a global is known to do, or None: known or not, it was not allowed.

        >>> policy().danger("os", "system")
        'runs programs and touches files'
        """
        parts = f"{module}.{name}".split(".")
        for length in range(len(parts), 0, -1):
            if (does := self.dangerous.get(".".join(parts[:length]))) is not None:
                return does
        return None


@cache
def policy() -> Policy:
    """Return the policy of the package."""
    text = files("weighbridge.probes.checkpoint").joinpath("data/globals.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    entries = data["allowed"]
    return Policy(
        frozenset((entry["module"], name) for entry in entries for name in entry.get("names", ())),
        tuple(entry["module"] for entry in entries if entry.get("classes")),
        {name: (places[0], places[1]) for name, places in data["calls_argument"].items()},
        data["dangerous"],
    )
