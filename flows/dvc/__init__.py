"""DVC: process, dvc.lock, pipeline, stores, and the workspace of a learning run."""
