"""Connectors to files that are documents: folders and archives, installed packages, mailboxes."""
