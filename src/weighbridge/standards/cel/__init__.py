"""Conditions in CEL (Common Expression Language), with three values: true, false, and "the evidence does not say".

Takes an expression's text, a table of the names that it may read and what is known of them; gives true, false, or which evidence is
lacking or undecided. Every operation is monotone: knowing less never turns false or unknown into true. What would observe absence,
`has()`, is refused. Bounded in length, depth and steps. No library does this with a trace of the evidence: docs/adr/0016-conditions.md.

- `syntax`: text to a tree; `checking`: names and types, before anything is evaluated; `values`: what is not one plain value;
  `evaluation`: a tree over evidence; `explaining`: which parts decided.
"""
