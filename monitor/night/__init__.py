"""One night, from the sources to the delivered messages."""
