"""Readers of other tools' result files, one module a tool. A file in, a `MadeElsewhere` out, or one error that says what to do.

`reading.py` opens a file that anybody may have written, within bounds; `values.py` takes numbers, texts and times out of it, or
says that there are none; `recognise.py` tells from the content which tool wrote it; `importing.py` joins them; `kept.py`
keeps what was imported with a dossier. No tool is run or imported, and nothing in a file is carried out.

Each tool's module has `is_it(document)`, which looks at the outline only, and `read(source)`. Prompts and answers are not taken over.
"""
