"""`python -m connector`: the same as the console script `leadswitch`."""

from connector.cli import main

if __name__ == "__main__":
    main()
