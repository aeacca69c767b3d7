"""Training: batches, training loop, checkpoints, devices, energy, cached features."""
