"""The recourse log: contested decisions, what became of them, and how long it took. Formats: docs/formats/recourse.md.

Takes what a person says of a contested decision and of its review; gives an append-only log whose entries are chained by their digests, what
can be counted in it, and exports. Has no field for who is affected, refuses free text in which personal data is seen unless it is encrypted, and
never decides a contest.

- `entries`: the records. `chain`: reading and checking them, pure. `log`: the file, its head, appending, mending.
- `sealing`: encrypted texts, and their erasure. `screening`: personal data in free text.
- `contests`: what a person does: open, respond, erase, read. `cases`: contests and what is counted of them. `values`: what a ruling can
  read. `export`: JSON lines, CSV, summary.
"""
