"""DVC: its process, dvc.lock, the pipeline, its stores, and the workspace of a learning run."""
