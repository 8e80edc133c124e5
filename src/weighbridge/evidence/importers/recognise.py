"""Which tool wrote a file, from its content alone: a name's ending says nothing that its writer did not choose."""

from __future__ import annotations

from weighbridge.errors import UsageError
from weighbridge.evidence.elsewhere import Tool
from weighbridge.evidence.importers import every_eval_ever, garak, inspect_logs, lm_eval, modelscan, promptfoo
from weighbridge.evidence.importers.reading import Source

_DOCUMENTS = {
    Tool.INSPECT: inspect_logs.is_it,
    Tool.LM_EVAL: lm_eval.is_it,
    Tool.PROMPTFOO: promptfoo.is_it,
    Tool.MODELSCAN: modelscan.is_it,
    Tool.EVERY_EVAL_EVER: every_eval_ever.is_it,
}
_KNOWN = "known are " + ", ".join(Tool)


def recognise(source: Source) -> Tool:
    """Return the one tool whose outline the file has. Raises `UsageError` when it has none's or more than one's."""
    if source.is_zip:
        if inspect_logs.is_archive(source):
            return Tool.INSPECT
        raise source.wrong("is a zip archive, and not an Inspect log", _KNOWN)
    first = source.parse_line(source.first_line())
    fits = [Tool.GARAK] if first is not None and garak.is_it(first) else []
    # A report of garak of several lines is no document; anything else must be one.
    try:
        document = source.document()
    except UsageError as error:
        if fits:
            return Tool.GARAK
        raise source.wrong(f"no tool's result file is recognised in it: it {error.what}", _KNOWN) from error
    fits += [tool for tool, is_it in _DOCUMENTS.items() if is_it(document)]
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise source.wrong(f"could be of {' or '.join(fits)}", "say which with --tool")
    raise source.wrong("no tool's result file is recognised in it", f"{_KNOWN}; say which with --tool")
