"""Rollout: champion and challenger, and the policy that ends a trial."""
