"""What all parts share: small, typed, without side effects on import."""
