"""Shared code of all parts: small, typed, without side effects on import."""
