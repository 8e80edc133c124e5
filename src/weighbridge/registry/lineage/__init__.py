"""Which models descend from one another, told from their fingerprints alone: docs/methods/lineage.md, docs/formats/fingerprint.md.

    fingerprint as JSON -> marks.read_mark -> relation.relate (two models) -> declared.check_declared (what a card says)
                                           -> index.Index (one among many)

Pure but for `Index.save` and `Index.load`. A model without a fingerprint is "not measured", never unrelated.
"""
