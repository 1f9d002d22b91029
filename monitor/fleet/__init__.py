"""``monitor fleet``: many councils side by side, each with its own config, data folder and database or schema."""
