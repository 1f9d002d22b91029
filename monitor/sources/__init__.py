"""Sources: each reads one kind of place into a workspace table of text."""
