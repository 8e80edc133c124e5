"""Findings, mitigations and advisories: a failure, what was changed against it, and who must know. Formats: docs/formats/findings.md.

Takes typed files (YAML or TOML); gives checked records, the status of each digest, prompts that ask again, and public renderings (OSV, AVID,
Atom) that hold nothing before its date. Asks and grades nothing, sends nothing to anybody, and has no clock: the day comes in as an argument.

- `finding`: the record, its disclosure and when it may be read. `mitigation`: a change and the re-test that shows what it does.
- `advisory`: findings, digests and their status. `files`: reading, templates, one advisory from findings.
- `regression`: a finding as prompts. `osv`, `avid`, `feed`: public renderings. `avid_tags`: our mapping to AVID's taxonomy, shared with dossiers.
"""
