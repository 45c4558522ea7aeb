"""PostgreSQL set for its machine: what follows from its memory and from who connects."""
