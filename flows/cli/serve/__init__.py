"""Commands about the service: run it alone, its API keys."""
