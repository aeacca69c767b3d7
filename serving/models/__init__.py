"""Models in memory: loading, batching, predictions and explanations."""
