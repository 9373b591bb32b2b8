"""`python -m sle_kg` is the command `sle-kg`."""

from sle_kg.cli import main

if __name__ == "__main__":
    main()
