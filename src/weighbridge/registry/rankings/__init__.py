"""Who harms less, as far as it can be told: models side by side under one benchmark, one grader, one rung and one way of asking.

    dossier -> rows (at publishing) -> tables -> reading (arrays, kept until the registry changes) -> ranks -> a page's rows

Takes results of known signers; gives a range of ranks to each model, of which all hold at once. Never mixes graders, prompts or ways of asking, never
averages evaluators, never ranks what was not measured. Method: docs/methods/rankings.md.

- `rows`: what a dossier gives to rankings. `records`: what is said of a ranking, with its JSON forms. `bounds`: intervals and ranks, pure.
- `reading`: a ranking from the database. `comparing`: two models side by side.
"""
