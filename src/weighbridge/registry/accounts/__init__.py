"""Who may do what: users, passkeys, tokens, sessions and one-time links, in the registry's database.

    link -> join -> user with a passkey -> sign-in -> session; user -> token

- `roles`: the four roles. `users`: names and their roles; the last maintainer stays. `links`: one-time links, the first maintainer's among them.
- `passkeys`: WebAuthn, checked. `identities`: people of an OpenID Connect provider. `challenges`: what is to be signed, once.
- `sessions`, `tokens`: what a browser and a program show. `secret`: 32 random bytes, given once and kept as their digest.

Functions take a connection and the time, and write their entry of the audit log in the caller's transaction. Nothing here knows HTTP.
"""
