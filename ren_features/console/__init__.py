"""What the command line shows: progress, and errors of one line."""
