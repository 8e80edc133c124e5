"""Looks at every chat template, wherever it lives: as code (`template_syntax`), and by what it does to conversations (`template_trials`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.examine import Context
from weighbridge.probes.checkpoint.report import Examined, Finding, NotExamined, Template

MAX_TEMPLATES = 40
MAX_CHARACTERS = 1 << 20


def gather_templates(files: Sequence[Examined]) -> list[Template]:
    """Return every template: of GGUF files, of settings (one or several by name), and files of their own."""
    gathered: list[Template] = []
    for file in files:
        gathered += file.templates
        name = file.path.rsplit("!", 1)[-1].rsplit("/", 1)[-1]
        data = file.metadata.get("json")
        if isinstance(data, dict) and "chat_template" in data:
            gathered += _of_settings(file.path, data["chat_template"])
        elif file.content is not None and (name.endswith((".jinja", ".jinja2", ".j2")) or name == "chat_template"):
            kind = "default" if name.startswith("chat_template") else name.rsplit(".", 1)[0]
            gathered.append(Template(file.path, "file", kind, file.content.decode("utf-8", "replace")))
    return gathered


def _of_settings(path: str, value: Any) -> list[Template]:
    if isinstance(value, str):
        return [Template(path, "chat_template", "default", value)]
    if isinstance(value, dict):
        value = [{"name": name, "template": text} for name, text in value.items()]
    named = value if isinstance(value, list) else []
    return [
        Template(path, f"chat_template {each.get('name')}", str(each.get("name")), each["template"])
        for each in named
        if isinstance(each, dict) and isinstance(each.get("template"), str)
    ]


def examine_templates(files: Sequence[Examined], context: Context) -> tuple[list[Finding], list[NotExamined]]:
    """Return what is wrong with the templates of a subject."""
    templates = gather_templates(files)
    findings: list[Finding] = []
    left: list[NotExamined] = []
    if not templates:
        return findings, left
    from weighbridge.probes.checkpoint.template_syntax import examine_syntax
    from weighbridge.probes.checkpoint.template_trials import try_template

    seen: set[str] = set()
    for template in templates[:MAX_TEMPLATES]:
        if template.text in seen:
            continue
        seen.add(template.text)
        if len(template.text) > MAX_CHARACTERS:
            left.append(NotExamined(template.path, f"a template of {len(template.text):,} characters"))
            continue
        tree, said = examine_syntax(template)
        findings += said
        if tree is not None:
            tried, missed = try_template(template, tree)
            findings += tried
            left += missed
    if len(templates) > MAX_TEMPLATES:
        left.append(NotExamined(templates[0].path, f"more than {MAX_TEMPLATES} templates"))
    findings += _differing(templates)
    return findings, left


def _differing(templates: Sequence[Template]) -> list[Finding]:
    """Two default templates of one folder that are not the same: which is used depends on the program and its version.

    Several GGUF files may be of several models: each is compared with the settings beside it, and not with the others.
    """
    first: dict[str, Template] = {}
    findings = []
    for template in sorted(templates, key=_is_gguf):
        if template.name != "default" or "!" in template.path:
            continue
        folder = template.path.rpartition("/")[0]
        known = first.get(folder, template) if _is_gguf(template) else first.setdefault(folder, template)
        if known.text.strip() != template.text.strip():
            message = f"another template than in {known.path}: which one is used depends on the program"
            findings.append(found("template.differ", template.path, template.where, message))
    return findings


def _is_gguf(template: Template) -> bool:
    return template.where.startswith("tokenizer.chat")
