"""The closed list of ways in which a statement fails to verify. Its values are printed, and are part of the format."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Failure(StrEnum):
    """Why something was not verified."""

    UNSIGNED = "unsigned"
    NO_KEY = "no-key"
    NOT_CHECKED = "not-checked"
    TOO_LARGE = "too-large"
    TOO_DEEP = "too-deep"
    NOT_JSON = "not-json"
    DUPLICATE_KEYS = "duplicate-keys"
    NOT_CANONICAL = "not-canonical"
    NOT_AN_ENVELOPE = "not-an-envelope"
    UNKNOWN_PAYLOAD = "unknown-payload"
    WRONG_KEY = "wrong-key"
    BAD_SIGNATURE = "bad-signature"
    NOT_A_STATEMENT = "not-a-statement"
    UNKNOWN_PREDICATE = "unknown-predicate"
    BROKEN_PREDICATE = "broken-predicate"
    OTHER_SUBJECT = "other-subject"
    OTHER_MODEL = "other-model"
    CHANGED_FILE = "changed-file"
    MISSING_FILE = "missing-file"
    UNSIGNED_FILE = "unsigned-file"
    MISSING_STATEMENT = "missing-statement"
    NOT_YET_VALID = "not-yet-valid"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    CYCLIC_SUPERSESSION = "cyclic-supersession"

    @property
    def do(self) -> str:
        """What to do about it."""
        return _WHAT_TO_DO[self]

    @property
    def is_lack(self) -> bool:
        """Whether this says only that nobody's signature was checked: neither good nor bad news about the statement."""
        return self in (Failure.NO_KEY, Failure.NOT_CHECKED)


_OURS = "take it from its signer again, byte by byte"
_WHAT_TO_DO = {
    Failure.UNSIGNED: "sign it with `weighbridge sign`, or ask whoever made it for its statements",
    Failure.NO_KEY: "give the signer's public key, from a source that you trust, with --key",
    Failure.NOT_CHECKED: (
        "give --identity and --issuer for a keyless signature, and install the extra: pip install 'weighbridge[sigstore]'"
    ),
    Failure.TOO_LARGE: "this is no statement of this program: do not use it",
    Failure.TOO_DEEP: "this is no statement of this program: do not use it",
    Failure.NOT_JSON: _OURS,
    Failure.DUPLICATE_KEYS: "do not use it: two readers would read two different things",
    Failure.NOT_CANONICAL: _OURS + ", and do not let an editor format it",
    Failure.NOT_AN_ENVELOPE: "give a DSSE envelope, as `weighbridge sign` writes it",
    Failure.UNKNOWN_PAYLOAD: "give an envelope that holds an in-toto statement",
    Failure.WRONG_KEY: "give the key of whoever signed it, or do not trust it",
    Failure.BAD_SIGNATURE: "do not trust it: it was changed after signing, or was never signed with this key",
    Failure.NOT_A_STATEMENT: "ask its signer for an in-toto Statement v1",
    Failure.UNKNOWN_PREDICATE: "verify it with the tool that made it, or with a newer version of this one",
    Failure.BROKEN_PREDICATE: "ask its signer for a statement made by `weighbridge sign`",
    Failure.OTHER_SUBJECT: "put the statement beside the dossier that it was made for",
    Failure.OTHER_MODEL: "do not apply this statement to that model: weigh it, or find the statement about it",
    Failure.CHANGED_FILE: "take the dossier as it was signed, or have it signed again",
    Failure.MISSING_FILE: "take the whole dossier, with every file that was signed",
    Failure.UNSIGNED_FILE: "sign the dossier again, or remove the file",
    Failure.MISSING_STATEMENT: "take the whole folder of statements, or have the dossier signed again",
    Failure.NOT_YET_VALID: "check this machine's clock, or wait",
    Failure.EXPIRED: "have the model weighed and stated again",
    Failure.SUPERSEDED: "use the newer statement",
    Failure.CYCLIC_SUPERSESSION: "trust none of them: ask their signer which one holds",
}


@dataclass(frozen=True)
class Problem:
    """One way in which something failed: which, and what was seen. `told` is safe to print."""

    failure: Failure
    told: str

    def __str__(self) -> str:
        return f"{self.failure.value}: {self.told}; {self.failure.do}"


class Refused(Exception):
    """Reading stops here. Carries the problem."""

    def __init__(self, failure: Failure, told: str) -> None:
        self.problem = Problem(failure, told)
        super().__init__(str(self.problem))
