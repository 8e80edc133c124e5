"""Accountability documents for a high-standard use: filled from a dossier where there is evidence, with every blank visible.

Takes a dossier, a use, the deployer's sector and attestations; gives an impact assessment, a public notice, roles and sign-off, a notice of recourse,
and a file of attestations to begin with. Never fills a blank with a guess and never writes over what somebody edited.

- `facts`: what the dossier says, each value with its place in it. `asked`: sections, who completes them, which instrument asks and how far that was
  checked. `documents`: the texts. `files`: writing them.
"""
