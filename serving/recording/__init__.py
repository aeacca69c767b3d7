"""Recording: predictions and scrubbed texts on their way to the ledger."""
