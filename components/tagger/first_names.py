"""Writes the list of first names that rules look up: names of Faker's locales in Latin letters.

    python -m components.tagger.first_names

Rules read names where the tagger sees no sentence: file names, folders, links, tables.
"""

from __future__ import annotations

from components.core.scrub.recognizers import first_names
from components.tagger.corpus import LOCALES

_LEAST = 3  # letters


def collect() -> list[str]:
    """Returns the first names of all locales, in small letters, sorted."""
    from faker import Faker

    names: set[str] = set()
    for locale in sorted(set(LOCALES)):
        for provider in Faker(locale).get_providers():
            for attribute in dir(provider):
                if attribute.startswith("first_name") and attribute != "first_name":
                    listed = getattr(provider, attribute)
                    if not callable(listed):
                        names |= {str(name).casefold() for name in listed}
    return sorted(
        name
        for name in names
        if len(name) >= _LEAST and name.isalpha() and all(c < "\u0250" for c in name)
    )


def main() -> None:
    """Writes the file."""
    first_names.FILE.write_text("\n".join(collect()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
