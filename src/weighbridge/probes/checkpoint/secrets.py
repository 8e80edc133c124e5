"""Looks for keys and passwords that were left in text files, with detect-secrets' detectors. What is found is never shown, only its
kind and place, and nothing is tried out against a service."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.report import Examined, Finding, Severity

# Detectors that go by a prefix or a frame. Those by entropy, by keyword and by address accuse ordinary files.
_DETECTORS = {
    "artifactory": "ArtifactoryDetector", "aws": "AWSKeyDetector", "azure_storage_key": "AzureStorageKeyDetector",
    "basic_auth": "BasicAuthDetector", "discord": "DiscordBotTokenDetector", "github_token": "GitHubTokenDetector",
    "gitlab_token": "GitLabTokenDetector", "mailchimp": "MailchimpDetector", "npm": "NpmDetector", "openai": "OpenAIDetector",
    "private_key": "PrivateKeyDetector", "pypi_token": "PypiTokenDetector", "sendgrid": "SendGridDetector", "slack": "SlackDetector",
    "square_oauth": "SquareOAuthDetector", "stripe": "StripeDetector", "telegram_token": "TelegramBotTokenDetector", "twilio": "TwilioKeyDetector",
}  # fmt: skip
# What the library does not know and models' files have had.
_OTHERS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("Hugging Face token", r"(?<![\w])hf_[A-Za-z]{30,40}(?![\w])"),
        ("GitHub fine-grained token", r"(?<![\w])github_pat_[A-Za-z0-9_]{60,255}(?![\w])"),
        ("OpenAI key", r"(?<![\w])sk-(?:proj|svcacct)-[A-Za-z0-9_-]{40,}(?![\w])"),
        ("Anthropic key", r"(?<![\w])sk-ant-[A-Za-z0-9_-]{40,}(?![\w])"),
        ("Google API key", r"(?<![\w])AIza[A-Za-z0-9_-]{35}(?![\w])"),
        ("Weights and Biases key", r"(?i)wandb[_ -]?(?:api[_ -]?)?key[\"']?\s*[:=]\s*[\"']?[0-9a-f]{40}(?![0-9a-f])"),
    )
)
_EXAMPLE = re.compile(r"(?i)example|xxxx|your[_-]|<|\.\.\.|placeholder|user:pass|username:password|dummy")
# Only a line with one of these is worth the library's detectors, which take longer to import than a small file to read.
_WORTH = re.compile(
    r"-----BEGIN|://[^\s/]+:[^\s/]+@|hf_|AKIA|ASIA|(?=[\w+/=:.-]*[0-9])(?=[\w+/=:.-]*[A-Za-z])[\w+/=:.-]{20,}"
)
_LONGEST_LINE = 10_000  # vocabularies and data in one line hold no secrets that were left by hand
MAX_A_FILE = 20


def examine_secrets(files: Sequence[Examined]) -> list[Finding]:
    """Return where secrets stand in the files that were kept as text, at most `MAX_A_FILE` each."""
    findings: list[Finding] = []
    for file in files:
        if file.content is None:
            continue
        here: dict[tuple[int, str], Finding] = {}
        for number, line in enumerate(file.content.decode("utf-8", "replace").splitlines(), 1):
            if len(line) > _LONGEST_LINE or not _WORTH.search(line):
                continue
            for kind in _kinds(line):
                if len(here) < MAX_A_FILE:
                    # Saved web pages have the keys with which browsers call a service: those are made to be seen.
                    public = kind == "Google API key" and file.format == "markup"
                    message = f"what looks like a {kind}" + (" for browsers, in a saved web page" if public else "")
                    severity = Severity.INFO if public else None
                    here[number, kind] = found("secret.found", file.path, f"line {number}", message, severity=severity)
        findings += here.values()
    return findings


def _kinds(line: str) -> Iterator[str]:
    """Yield the kinds of secrets in a line; those that are plainly examples are none."""
    seen = set()
    for kind, pattern in _OTHERS:
        for match in pattern.finditer(line):
            if not _EXAMPLE.search(match[0]):
                seen.add(match[0])
                yield kind
    for kind, detect in _detectors():
        for secret in detect(line):
            if secret and not any(secret in other for other in seen) and not _EXAMPLE.search(f"{secret} {line[:300]}"):
                yield kind


@cache
def _detectors() -> tuple[tuple[str, Callable[[str], Iterator[str]]], ...]:
    classes = [getattr(import_module(f"detect_secrets.plugins.{module}"), name) for module, name in _DETECTORS.items()]
    return tuple((each.secret_type, each().analyze_string) for each in classes)
