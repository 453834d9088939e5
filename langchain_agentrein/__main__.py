"""`python -m langchain_agentrein` is `agentrein`."""

from langchain_agentrein.cli import main

if __name__ == "__main__":
    main()
