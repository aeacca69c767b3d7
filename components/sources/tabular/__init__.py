"""Files of rows: their formats, columns, and what they are when they are no files of that kind."""
