"""What people read: words of others made fit to be shown, lines to be typed, reports."""
