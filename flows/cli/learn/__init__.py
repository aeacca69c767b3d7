"""Commands about learning: cross-validation, tuning."""
