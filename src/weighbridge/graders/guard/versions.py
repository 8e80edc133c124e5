"""The versions of the Llama Guard family, as data: what each is shown, which codes it may give, and what they mean here."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from weighbridge.digests import digest_bytes
from weighbridge.errors import UsageError
from weighbridge.protocol.vocabulary import Category

VERSIONS = ("1", "2", "3", "3-1B", "4")


@dataclass(frozen=True)
class GuardVersion:
    """One version. `names`: its categories' names by code, in its order. `ours`: the categories of ours that a code speaks of.

    `frame` has the places {categories}, {prompt} and {answer}; `digest` is of the data file.
    """

    version: str
    label: str
    frame: str
    names: dict[str, str]
    ours: dict[str, frozenset[Category]]
    digest: str

    def covers(self, category: Category) -> bool:
        """Whether any of its categories speaks of `category`."""
        return any(category in meant for meant in self.ours.values())

    def names_category(self, codes: Collection[str], category: Category) -> bool:
        """Whether one of `codes` speaks of `category`."""
        return any(category in self.ours[code] for code in codes)

    def show(self, prompt: str, answer: str) -> str:
        """Return what this version is shown for an answer: its own frame, with its own list of categories."""
        listed = "\n".join(f"{code}: {name}." for code, name in self.names.items())
        before, _, rest = self.frame.partition("{prompt}")
        between, _, after = rest.partition("{answer}")
        return before.replace("{categories}", listed) + prompt + between + answer + after


@lru_cache(maxsize=len(VERSIONS))
def guard_version(version: str) -> GuardVersion:
    """Return the data of a version: one of "1", "2", "3", "3-1B", "4". Raises `UsageError` for another.

    >>> guard_version("2").ours["S8"] == guard_version("3").ours["S9"] == {Category.INDISCRIMINATE_WEAPONS}
    True
    """
    if version not in VERSIONS:
        raise UsageError(
            f"there is no Llama Guard version {version!r}",
            do=f"choose one of: {', '.join(VERSIONS)}, as in guard:3@MODEL",
        )
    content = files("weighbridge.graders.guard").joinpath("versions", f"{version}.toml").read_bytes()
    data = tomllib.loads(content.decode("utf-8"))
    return GuardVersion(
        version=data["version"],
        label=data["label"],
        frame=data["frame"],
        names={category["code"]: category["name"] for category in data["category"]},
        ours={
            category["code"]: frozenset(Category(name) for name in category["ours"]) for category in data["category"]
        },
        digest=digest_bytes(content),
    )
