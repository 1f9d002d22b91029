"""The rulebook: rule files, checked, and asked of every young person."""
