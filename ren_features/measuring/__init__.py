"""One scan from its files to rows of the store."""
