"""The ``monitor`` command, one module for each group of commands."""
