"""The process itself: quick imports, offline switches, processes that were left behind."""
