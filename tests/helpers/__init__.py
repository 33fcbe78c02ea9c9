"""What several tests share: data that they make, processes that they start, rules."""
