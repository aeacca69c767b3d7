"""The process: fast imports, offline switches, interrupts, stale processes."""
