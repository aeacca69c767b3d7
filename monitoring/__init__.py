"""Windows, drift, the governor and reports."""
