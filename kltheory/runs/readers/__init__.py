"""One file for each format that libraries write."""
