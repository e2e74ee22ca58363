"""Playbooks: when something happens to a lead, and if it is such a lead, then a sequence of steps. See `docs/playbooks.md`."""
