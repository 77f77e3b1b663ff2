"""``python -m fin.cli``: the ``fin`` program."""

from fin.cli import main

if __name__ == "__main__":
    main()
