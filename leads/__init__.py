"""The vocabulary every other package speaks: records, enums and results. Standard library only."""
