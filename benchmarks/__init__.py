"""What it costs: `make bench` runs every module here, prints the table, and keeps it in README.md."""
