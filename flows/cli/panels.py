"""The groups of commands in `newsloop --help`, in their order."""

EVERY_DAY = "Every day"
LEARN = "Learn"
RELEASE = "Release"
SERVE = "Serve"
WATCH = "Watch"
DATA = "Data"
PRIVACY = "Privacy"
ADMINISTER = "Administer"
ORDER = (EVERY_DAY, LEARN, RELEASE, SERVE, WATCH, DATA, PRIVACY, ADMINISTER)
# The commands of every day as they are needed one after the other.
DAILY = ("run", "up", "status", "report", "predict", "down")
