"""Usage is visible at once: who rolls up, when, and how often."""
