"""First names, which tell a name from other words where there is no sentence around it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("first_names.txt")  # `python -m components.tagger.first_names`
# First names that are words, products, places or months as well.
AMBIGUOUS = frozenset(
    """
    able ace alba alma amber an angel april art asia august aurora autumn axel bay bella bill blue
    bo bob brand brandy brook brooke brooks bud buster camp candy cane case cash chance charity
    chase chelsea china christian chuck clay cliff coco cody cole colt constance cora
    courtney crystal dale dakota dan daisy dawn day dean deal del denver destiny diamond dick dixie
    do dolly domingo don drew duke dusty earl earnest ebony echo eden ellis embla eros ever even
    faith fay fern fin fleur florence florida forest forrest frank frankie freed gale garland gay
    gene genesis geo georgia ginger glen glory gold golden grace grant gray guy hall harmony harley
    harper harvest haven hazel heath heather heaven henry holly honor hope horace house hunter hunt
    ice ida ina india iris island ivory ivy jade jasmine jan java jazz jay jean jersey jet jewel job
    john joy juan judge juli julio julius june juni junior justice kai kent kermit king kit lake lance
    land lane lara lark laurel leo liberty lily linus lion lisp long lord lori lotus love loyal luca
    lucky lux magnolia major malta man marco margarita maria marin marina mark marvel mary mason may
    mel melody mercedes mercy merit mika mike miles milo min mira misty mona mone monte moon moses
    neo never nick noel nora norm norman north nova ocean octavia olive oliver oliva opal oral orion
    osman page paige pan paris pat patience pearl penny per pepper perl philip piper poppy port
    porter precious presley price prince princess pride prudence python queen rain raven ray red reed
    reid rex rich ricky river rob robin rocky rod roger roman rome rory rosa rose roses royal ruby
    ruby russell rusty sage sally sam sandy santa santos savannah scarlet scott season see sean shade
    shell shelby sidney sienna sierra silver sky skyler smart sol son sonny spring star sterling stone
    storm sue summer sun sunday sunny sunshine sydney tab tam tate teal ted terra terry text theo tim
    toby tony tod tom trace trinity troy true tulip tyson una union unity ursa val valley van velvet
    vera victor victoria vide viola violet virginia vista wade ward warren way wayne west whitney will
    willow winter wolf wood woody word wren young zen zion
    """.split()
) - frozenset(
    "bob dan frank henry john maria mary mike nick nora norman oliver philip sam scott".split()
)


@cache
def names() -> frozenset[str]:
    """Returns the first names, in small letters."""
    return frozenset(FILE.read_text(encoding="utf-8").split())


def is_first_name(word: str, *, sure: bool = False) -> bool:
    """Tests if a word is a first name.

    Args:
        word: in any case.
        sure: names that are also words do not count.
    """
    small = word.casefold()
    return small in names() and not (sure and small in AMBIGUOUS)
