"""slod's own series with their past: what of it is read off the ledgers, what is remembered."""
