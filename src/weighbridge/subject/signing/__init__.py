"""Signatures of models, as OpenSSF Model Signing (OMS) v1.0 writes them; `docs/formats/signing.md` says what is verified.

- `bundle`: an untrusted file to the envelope and the signed list of files; pure.
- `trust`: whether the envelope's signature is by a key or certificate that the caller trusts; pure but for `cryptography`.
- `comparison`: the signed list against the files.
- `making`: the other way: a signature file for a model, by a key that the caller holds.
- `verification`: the first three in turn; one value that says what was verified and what was not.
"""
