"""Who may do what, for people and programs: signing in, joining by a one-time link, one's own passkeys and tokens, users, the audit log.

- `door`: turns a request into who asks. `cookies`: the two cookies. `guards`: what holds where nobody is signed in yet, or only a person may act.
- `sign_in`, `join`, `account`, `people`, `trail`, `provider`: the routes. All is done by `registry.accounts`.
"""

from weighbridge.web.accounts.routes import router

__all__ = ["router"]
