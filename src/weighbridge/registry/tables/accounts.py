"""Who may do what: users, passkeys, tokens, sessions and one-time links."""
