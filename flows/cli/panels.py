"""The groups of commands in `newsloop --help`: the packages of `flows/cli`, in their order."""

ORDER = ("every_day", "learn", "release", "serve", "watch", "data", "privacy", "administer")
# The commands of every day as they are needed one after the other.
DAILY = ("run", "up", "status", "report", "predict", "down")


def title(package: str) -> str:
    """The heading of a group.

    >>> title("every_day")
    'Every day'
    """
    return package.replace("_", " ").capitalize()
