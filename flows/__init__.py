"""Order, retries, schedules, events and the command line: the only place that knows Prefect."""
