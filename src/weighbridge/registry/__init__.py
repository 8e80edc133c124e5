"""Dossiers by digest, in a database: SQLite by default, PostgreSQL by URL. Formats: docs/formats/registry.md.

    folder or archive -> upload (bounded) -> admission (verified) -> publishing (one transaction) -> tables
    digest, prefix, closed model's name -> lookup -> what was published, newest first -> notices

Takes dossiers that verify, by a signer that the registry trusts or marked "signer not known here"; gives what was published about exact weights.
Never deletes, never closes an adverse result for its author, never counts what is not there.

- `upload`: a dossier's files from a folder or an archive. `closed`: the statement about a model that has no digest. `admission`: what holds, pure.
- `store`: opening, transactions, errors. `tables`: the tables. `migrations`: how they came about. `audit`: the hash-chained log.
- `publishing`: publish, revoke, answer, trust. `lookup`: reading. `notices`: what may be said to a person who downloads, pure records.
- `rating`, `tagging`, `regressions`, `labelling`: what people say of answers, findings asked again, and answers to label for a grader's calibration.
- `backup`: a whole registry to one file and back.

SQLAlchemy and Alembic are the extra `serve`; only this package imports them, and only the command line and the service import it.
"""
