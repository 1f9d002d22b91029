"""What people who read, run and look after the monitor need to know: pages in Markdown, to print and as one file."""
