"""Code shared by the connections to databases: SQLite files and PostgreSQL servers."""
