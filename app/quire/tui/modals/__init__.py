"""What covers a screen for a moment."""
