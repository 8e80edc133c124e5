"""Who may do what: users and their roles, passkeys, tokens, sessions and one-time links, kept in the registry."""
