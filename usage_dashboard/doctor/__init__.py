"""What is wrong with an installation: one sentence each, with what to do about it."""
