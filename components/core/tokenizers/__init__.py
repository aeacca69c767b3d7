"""Tokenizers, text -> ids: words, characters, word pieces."""
