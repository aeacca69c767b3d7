"""Names in seven languages are found, and in other languages those in letters and forms."""

from __future__ import annotations

import re

import pytest

from components.core import params
from components.core.scrub import Scrubber
from components.core.scrub.confusables import normalize
from components.core.scrub.taggers import MULTILINGUAL, cnn, phrases

# [Names] of made-up persons; everything else must stay.
SENTENCES = {
    "de": """Der Trainer [Jürgen Wessely] lobte seine Mannschaft nach dem Sieg in Augsburg.
Im Landtag kritisierte [Annegret Kolbe] die Pläne der Regierung scharf.
Die Sparkasse Köln und die Allianz eröffnen im Mai eine Filiale in Bonn.
Sehr geehrte Frau [Hillebrand], vielen Dank für Ihre Bestellung vom Montag.
Mein Nachbar [Torsten Ahlers] hat den Schlüssel gefunden und abgegeben.
Das Schloss Sanssouci in Potsdam ist wegen einer Baustelle geschlossen.
Die Schauspielerin [Mareike Stolz] und der Regisseur [Emil Rauch] kommen nach Wien.
Deutsche Bahn und Lufthansa bieten ab Juni gemeinsame Fahrkarten an.
Ich habe gestern mit [Susanne] telefoniert, sie kommt erst am Freitag.
Laut [Brockmann] steigen die Preise für Strom im nächsten Jahr weiter.""",
    "fr": """Le maire [Benoît Lacombe] a présenté hier le budget de la ville.
Bonjour Madame [Fournel], votre colis est arrivé à l'agence de Nantes.
La Société Générale ferme son agence de Grenoble au mois de juin.
Mon voisin [Thibault] a réparé la clôture du jardin pendant le week-end.
Le Parc des Princes était plein pour le match contre Marseille.
La romancière [Odile Charpentier] reçoit le prix pour son premier livre.
Selon [Garnier], les ventes ont baissé depuis le mois de septembre.
La région Bretagne et la ville de Rennes financent le nouveau tramway.
L'avocat [Hugo Marchand] défend la famille devant le tribunal de Lyon.
Le Conseil constitutionnel a rendu sa décision mardi matin à Paris.""",
    "es": """El entrenador [Álvaro Montesinos] dijo que su equipo jugó muy bien.
Estimada Sra. [Villanueva]: le enviamos la factura del mes de abril.
El Banco Santander abrirá una nueva oficina en el centro de Zaragoza.
Mi hermana [Lucía] trabaja en un hospital de Granada desde enero.
La Universidad de Salamanca ofrece becas para estudiantes de América Latina.
La escritora [Remedios Calleja] presentó su novela en la feria del libro.
Según [Iglesias], la empresa no tiene dinero para pagar los salarios.
El Real Madrid perdió contra el Valencia en el último minuto.
El abogado [Ramiro Quintana] pidió al juez un nuevo plazo.
El tren de Sevilla llegó con una hora de retraso a la estación de Atocha.""",
    "it": """Il sindaco [Carlo Bellandi] ha inaugurato la nuova piazza del paese.
Gentile signora [Marchetti], la ringraziamo per il suo ordine di ieri.
La Banca Popolare di Milano chiude la filiale di Bergamo a giugno.
Mio cugino [Davide] lavora in una scuola di Torino da tre anni.
La Juventus ha vinto contro la Fiorentina con due reti nel finale.
La cantante [Ginevra Sartori] sarà ospite del festival di Sanremo.
Secondo [Pellegrini] i prezzi delle case scenderanno ancora in autunno.
L'Università di Bologna apre un corso di medicina in lingua inglese.
L'avvocato [Sergio Fabbri] ha chiesto il rinvio del processo.
Il treno per Napoli è partito in ritardo dalla stazione di Roma.""",
    "nl": """Burgemeester [Willem Hoekstra] opende gisteren de nieuwe brug over de rivier.
Geachte mevrouw [Brouwers], bedankt voor uw bestelling van maandag.
De Rabobank sluit in juni het kantoor in Zwolle en dat in Deventer.
Mijn buurman [Sander] heeft de heg geknipt en het gras gemaaid.
Feyenoord verloor in Rotterdam met twee doelpunten verschil van Ajax.
De schrijfster [Marloes van Dijk] kreeg de prijs voor haar debuut.
Volgens [Kuipers] worden de huizen volgend jaar weer goedkoper.
De Universiteit Leiden begint een onderzoek naar schoon drinkwater.
De advocaat [Pieter Verhagen] vroeg de rechter om uitstel.
De trein naar Utrecht vertrok met vertraging van het station in Arnhem.""",
    "pt": """O prefeito [Otávio Nogueira] apresentou ontem o plano para o trânsito.
Prezada Sra. [Figueiredo], obrigado pelo seu pedido da semana passada.
O Banco do Brasil vai fechar a agência de Curitiba no mês de junho.
O meu irmão [Tiago] trabalha num hospital de Coimbra desde janeiro.
O Benfica venceu o Porto com um gol no último minuto do jogo.
A escritora [Helena Vasconcelos] lançou o novo livro em Lisboa.
Segundo [Queiroz], os preços das casas vão cair no próximo ano.
A Universidade de São Paulo abriu um curso de medicina para o interior.
O advogado [Rui Sampaio] pediu ao juiz mais tempo para a defesa.
O comboio para Braga saiu atrasado da estação de Aveiro.""",
    "pl": """Trener [Marek Zawadzki] pochwalił drużynę po meczu w Poznaniu.
Szanowna Pani [Wysocka], dziękujemy za zamówienie z poniedziałku.
Bank Pekao zamknie w czerwcu oddział w Lublinie i w Rzeszowie.
Moja siostra [Agnieszka] pracuje w szpitalu w Krakowie od stycznia.
Legia przegrała w Warszawie z Lechem po golu w ostatniej minucie.
Pisarka [Dorota Malinowska] wydała nową powieść o wojnie.
Według [Jabłońskiego] ceny mieszkań spadną dopiero jesienią.
Uniwersytet Jagielloński otwiera kierunek dla studentów z zagranicy.
Adwokat [Tomasz Grabowski] poprosił sąd o nowy termin.
Pociąg do Gdańska odjechał z opóźnieniem z dworca w Łodzi.""",
}
LETTERS = {
    "ru": "Уважаемый [Иван Петров],\nМеня зовут [Анна Смирнова].\nС уважением,\n[Ольга Иванова]",
    "uk": "Шановний пане [Коваленко],\nзустріч у вівторок.\nЗ повагою,\n[Олена Шевчук]",
    "tr": "Sayın [Ayşe Yılmaz],\n[Mehmet] Bey de gelecek.\nSaygılarımla,\n[Ali Kaya]",
    "cs": "Vážený pane [Nováku],\nschůzka je v úterý odpoledne.\nS pozdravem\n[Jana Dvořáková]",
    "sv": "Hej [Karin],\nmötet blir på tisdag i stället.\nMed vänlig hälsning\n[Erik Lund]",
    "hu": "Tisztelt [Kovács János] Úr!\nA megbeszélés kedden lesz.\nÜdvözlettel,\n[Nagy Éva]",
    "ro": "Stimate domnule [Popescu],\nședința este marți după-amiază.\nCu stimă,\n[Ion Ionescu]",
    "el": "Αγαπητέ κύριε [Παπαδόπουλε],\nη συνάντηση την Τρίτη.\nΜε εκτίμηση,\n[Μαρία Νικολάου]",
    "ar": "السيد [أحمد الحسن]، الاجتماع يوم الثلاثاء.\nالاسم: [محمد علي]",
    "hi": "मेरा नाम [प्रिया शर्मा] है। बैठक मंगलवार को है।\nनाम: [अनिल वर्मा]",
    "zh": "尊敬的[王]先生，会议改在星期二。我叫[李小明]。",
    "ja": "[田中]様、皆様、お世話になっております。会議は火曜日です。氏名：[山本 太郎]",
    "ko": "[김철수] 씨, 회의는 화요일입니다. 고객님께 알립니다.\n이름: [박지민]",
}
_NAME = re.compile(r"\[(.*?)\]")
_WORD = re.compile(r"\w+")


@pytest.fixture(scope="module")
def scrubber() -> Scrubber:
    return Scrubber(params.Scrub())


def _parted(marked: str) -> tuple[str, set[int]]:
    """A text without its brackets, and the characters that stood in them."""
    text, inside = "", set[int]()
    for position, part in enumerate(_NAME.split(marked)):
        if position % 2:
            inside |= set(range(len(text), len(text) + len(part)))
        text += part
    return text, inside


@pytest.mark.parametrize("language", MULTILINGUAL)
def test_names_are_found_and_towns_and_companies_stay(scrubber: Scrubber, language: str) -> None:
    found, names, wrong, others = 0, 0, 0, 0
    for line in SENTENCES[language].splitlines():
        text, inside = _parted(line)
        masked = {
            i for f in scrubber.find(text) for i in range(f.start, f.end) if f.entity == "PERSON"
        }
        for word in _WORD.finditer(text):
            is_name, is_masked = word.start() in inside, word.start() in masked
            names, found = names + is_name, found + (is_name and is_masked)
            others, wrong = others + (not is_name), wrong + (not is_name and is_masked)
    assert found / names >= 0.9
    assert wrong / others <= 0.02  # a title before a name is masked with it


@pytest.mark.parametrize("language", LETTERS)
def test_names_in_letters_of_a_language_without_a_tagger(language: str) -> None:
    text, inside = _parted(LETTERS[language])
    plain = normalize(text)
    marks = [plain.span(mark.start, mark.end) for mark in phrases.mark(plain.text, language)]
    masked = {i for start, end in marks for i in range(start, end)}
    assert "".join(text[i] for i in sorted(masked)) == "".join(text[i] for i in sorted(inside))


def test_a_mark_covers_the_vowel_signs_of_the_name(scrubber: Scrubber) -> None:
    clean = scrubber.scrub("नमस्ते, मेरा नाम प्रिया शर्मा है और मैं दिल्ली में रहती हूँ।")
    assert "नाम <PERSON> है" in clean.text
    assert clean.unsearched == "hi"


def test_an_apostrophe_ends_a_word_in_languages_with_elision() -> None:
    text = "l'attore d'Anna"
    assert [text[a:b] for a, b in cnn.tokens(text, parted=True)] == [
        "l",
        "'",
        "attore",
        "d",
        "'",
        "Anna",
    ]


def test_one_text_and_a_batch_have_the_same_marks() -> None:
    tagger = cnn.Tagger()
    texts = [
        "Mr Blair met Ann Smith in Leeds.",
        "",
        "It rained.",
        "Call Bob Jones, 5 Oak Road, Hull.",
    ]
    assert [tagger.mark([text], 0.3)[0] for text in texts] == tagger.mark(texts, 0.3)


def test_the_lexicon_knows_words_by_language_and_names() -> None:
    lexicon = cnn.Lexicon.load()
    assert lexicon.of("und", "de") // cnn.CLASSES == 1  # one of the most frequent words
    assert lexicon.of("obwohl", "fr") // cnn.CLASSES == 0
    assert lexicon.of("annegret", "de") % cnn.CLASSES == 1  # a first name
    assert lexicon.of("qqqzzz", "de") == 0


@pytest.mark.parametrize(
    ("text", "kinds", "expected"),
    [
        ("er traf von der Leyen Bruder", [0, 0, 1, 1, 1, 0], [0, 0, 0, 0, 1, 0]),
        ("Ursula von der Leyen kam", [1, 1, 1, 1, 1], [1, 1, 1, 1, 0]),
        ("anna hat angerufen", [1, 0, 0], [1, 0, 0]),  # a whole text in lower case
    ],
)
def test_words_in_lower_case_end_a_name_only_if_sure(
    text: str, kinds: list[int], expected: list[int]
) -> None:
    cnn._trim(text, cnn.tokens(text), kinds, [0.5] * len(kinds))
    assert kinds == expected
