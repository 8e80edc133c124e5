"""Where somebody's own registry is kept when no --db is given: in their data folder, the same for every command."""

from __future__ import annotations

from weighbridge.errors import UsageError


def own_registry() -> str:
    """Return the URL of one's own registry, its folder made. Raises `UsageError` where it cannot be."""
    from platformdirs import user_data_path

    folder = user_data_path("weighbridge")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the data folder cannot be made ({error.strerror})", where=str(folder), do="give --db sqlite:///FILE"
        ) from None
    return f"sqlite:///{folder / 'registry.db'}"
