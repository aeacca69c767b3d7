"""Groups of commands in `newsloop --help`: the packages of `flows/cli`, in this order."""

ORDER = ("every_day", "learn", "release", "serve", "watch", "data", "privacy", "administer")
# Daily commands in the order of use.
DAILY = ("init", "run", "up", "status", "home", "report", "predict", "down")


def title(package: str) -> str:
    """Formats the heading of a group.

    >>> title("every_day")
    'Every day'
    """
    return package.replace("_", " ").capitalize()
