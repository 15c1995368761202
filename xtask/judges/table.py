"""The rows of a table of judgments, as the chore prints them."""

import sys


def table(checks_by_client):
    """Makes the checks one after the other, and ends. A line for each: "NAME | CHECK | ok", or what was wrong."""
    failed = False
    for client, checks in checks_by_client:
        for check in checks:
            said = "ok"
            try:
                check()
            except Exception as error:  # each is a row of the table
                failed = True
                text = " ".join(f"{type(error).__name__}: {error}".split()).replace("|", "\\|")
                said = f"FAILED: {text[:300]}"
            print(f"{client} | {check.__name__.replace('_', ' ')} | {said}")
    sys.exit(1 if failed else 0)
