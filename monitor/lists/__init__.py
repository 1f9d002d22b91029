"""The exception lists: CSV, JSON and workbooks for people to work from."""
