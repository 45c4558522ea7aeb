"""What changed since it was looked at: costs that are billed, and costs that count against budgets."""
