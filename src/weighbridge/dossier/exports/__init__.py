"""A dossier in other tools' formats. Takes a `Source` (a record, rulings, what the files said); gives an `Export`: files and a log.

    files.read_source -> Source -> export.export_as(format) -> Export -> files.write_export

- `export`: the frame: what goes in, what comes out, and the tally that holds the law below.
- `files`: reads a dossier's folder, writes an export whole or not at all.
- one module a format, each with `export(source, *, at) -> Export`: `hub_card`, `eval_results`, `every_eval_ever`, `cyclonedx`, `spdx`,
  `avid`, `oscal`, `table`.

The law: everything in the record is either written or counted in the log with the reason. No format's emptiness is ours to use: a
number that was not measured is never written as 0, null or an empty interval. Formats are pure: no files, clock, randomness or
network, so the same dossier gives the same bytes. Nothing here measures, judges or asks; prompts and answers are not exported.
"""
