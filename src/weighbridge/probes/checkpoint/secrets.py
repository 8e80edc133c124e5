"""Looks for keys and passwords that were left in text files. What is found is never shown, only its kind and place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.report import Examined, Finding

# Only formats that are recognised without guessing: a prefix or a frame of their own.
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("private key", r"-----BEGIN (?:RSA |EC |DSA |OPENSSH |PGP |ENCRYPTED )?PRIVATE KEY(?: BLOCK)?-----"),
        ("AWS access key", r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Z0-9])"),
        ("Hugging Face token", r"(?<![\w])hf_[A-Za-z]{30,40}(?![\w])"),
        ("GitHub token", r"(?<![\w])(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255})(?![\w])"),
        ("GitLab token", r"(?<![\w])glpat-[A-Za-z0-9_-]{20,}(?![\w])"),
        ("OpenAI key", r"(?<![\w])sk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{40,}(?![\w])"),
        ("Anthropic key", r"(?<![\w])sk-ant-[A-Za-z0-9_-]{40,}(?![\w])"),
        ("Google API key", r"(?<![\w])AIza[A-Za-z0-9_-]{35}(?![\w])"),
        ("Slack token", r"(?<![\w])xox[abprs]-[A-Za-z0-9-]{20,}(?![\w])"),
        ("Stripe key", r"(?<![\w])[sr]k_live_[A-Za-z0-9]{20,}(?![\w])"),
        ("PyPI token", r"(?<![\w])pypi-AgE[A-Za-z0-9_-]{50,}"),
        ("npm token", r"(?<![\w])npm_[A-Za-z0-9]{36}(?![\w])"),
        ("Weights and Biases key", r"(?i)wandb[_ -]?(?:api[_ -]?)?key[\"']?\s*[:=]\s*[\"']?[0-9a-f]{40}(?![0-9a-f])"),
        ("address with a password", r"[a-z][a-z0-9+.-]{1,12}://[^\s/:@\"'<>]{1,80}:[^\s/:@\"'<>]{6,80}@[\w.-]+"),
    )
)
_EXAMPLE = re.compile(r"(?i)example|xxxx|your[_-]|<|\.\.\.|placeholder|user:pass|username:password|dummy")
MAX_A_FILE = 20


def examine_secrets(files: Sequence[Examined]) -> list[Finding]:
    """Return where secrets stand in the files that were kept as text, at most `MAX_A_FILE` each."""
    findings: list[Finding] = []
    for file in files:
        if file.content is None:
            continue
        text = file.content.decode("utf-8", "replace")
        here: list[Finding] = []
        for kind, pattern in _KINDS:
            for match in pattern.finditer(text):
                if _EXAMPLE.search(match[0]) or len(here) >= MAX_A_FILE:
                    continue
                line = text.count("\n", 0, match.start()) + 1
                here.append(found("secret.found", file.path, f"line {line}", f"what looks like a {kind}"))
        findings += here
    return findings
