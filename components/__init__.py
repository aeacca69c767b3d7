"""The stages of the learning pipeline, one file each. They know files, not Prefect."""
