"""A finding as a file of prompts that ask again, with the texts of the suite that ships."""

from __future__ import annotations

from weighbridge.errors import UsageError
from weighbridge.findings.finding import Finding
from weighbridge.findings.regression import regression_prompts
from weighbridge.protocol.vocabulary import Category


def regression_file(finding: Finding) -> str:
    """Return the lines that `weighbridge assess --prompts` asks of the next version.

    Raises `UsageError` when there is nothing to ask, no text may be carried, or it names a prompt that is not in the suite that ships.
    """
    texts: dict[str, str] = {}
    if finding.reproduce.prompt_ids and finding.category is not Category.CHILD_SEXUAL_EXPLOITATION:
        from weighbridge.probes.harms.suite import builtin_suite

        texts = {one.id: one.text for one in builtin_suite().prompts}
        if unknown := [one for one in finding.reproduce.prompt_ids if one not in texts]:
            raise UsageError(
                f"the suite that ships does not hold {', '.join(unknown[:5])}",
                where=finding.id,
                do="fetch the finding and run `weighbridge finding regress FINDING --from PROMPTS`",
            )
    return regression_prompts(finding, texts)
