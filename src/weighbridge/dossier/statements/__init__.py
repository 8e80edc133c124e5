"""What a dossier says of its subject, in statements that are signed and that anybody can verify; `docs/formats/statements.md`.

    record, terms, inspection -> building (statements) -> envelope + keys (signed) -> folder (DOSSIER/statements/)
    files -> folder -> envelope + keys -> verification (a report; every way to fail has a name in failures)

- `failures`: the closed list of ways in which verifying fails, and what to do about each.
- `strict_json`: JSON that nobody vouches for, within bounds, in its one canonical form.
- `keys`: private and public keys. `envelope`: DSSE. `keyless`: the same with sigstore, when it is installed and online.
- `predicate`: our own statement, with its schema. `building`: that one, and the published ones where they fit.
- `verification`: pure; times, digests and keys come in. `folder`: the files.

What verifies (`failures`, `strict_json`, `keys`, `envelope`, `verification`, and reading in `folder`) imports neither an engine nor the
records of a dossier: it reads digests. `building` and `predicate` are for signing only.
"""
