"""What was asked and answered before: kept for each vault, and what a follow-up question means by it."""
