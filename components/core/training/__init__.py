"""Training: batches, the loop, checkpoints, devices, energy, cached features."""
