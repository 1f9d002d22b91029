"""How messages leave: one small interface, and one module for each channel."""
