"""Text -> ids: words and characters, word pieces."""
