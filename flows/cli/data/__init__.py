"""Commands about the ledger and labels."""
