"""Commands about people's data: audit, erasure, retention, keys."""
