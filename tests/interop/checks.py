"""Prints one "ok" or "FAILED" line for each check, and counts failures."""


class Checks:
    """The checks of one client."""

    def __init__(self, client):
        self.client = client
        self.failed = 0

    def __call__(self, name, holds):
        self.failed += not holds
        print(f"{'ok' if holds else 'FAILED'} {self.client}: {name}")

    def exit_code(self):
        """0 when all held."""
        return 1 if self.failed else 0
