"""Commands about monitoring, the governor and predictions."""
