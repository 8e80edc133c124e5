"""Which models descend from one another: docs/methods/lineage.md, docs/formats/fingerprint.md. `registry.kin` is the way in.

    fingerprint as JSON -> marks.read_mark -> relation.relate (two models) -> declared.check_declared (what a card says)
                                           -> index.Index (one among many) -> kept (current with the database, saved for the next start)
    an inspection's tensors -> traits -> naming (what was done) -> orienting (who was made from whom) -> told (JSON and words)
    a dossier's files -> keeping (rows, in the transaction of publishing) -> published (reading them)

`keeping`, `kept` and `published` need the database; all else is pure. A model without a fingerprint is "not measured", never unrelated.
"""
