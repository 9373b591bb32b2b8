"""What sle-kg costs in time and memory, each beside something to compare it with: `python -m benchmarks`."""
