"""Standards as data, and rulings from evidence. Pure: the only files read here are the library's own.

Takes a standard (dated requirements, each a condition over evidence or a named attestation), the facts that a dossier offers and what
the caller declares of the release and the use; gives a ruling for each requirement: met, not met, not shown, not applicable. Never asks a
model, never reads a dossier's files (`weighbridge.dossier.facts` does), never decides what a requirement should be.
"""
