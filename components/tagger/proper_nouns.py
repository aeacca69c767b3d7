"""Proper nouns that are no persons, and persons without a surname: the values of slots.

Organisations, teams, products, works and events of many countries, so that the tagger does not take
each capitalised word for a person; months and days by language.
"""

from __future__ import annotations


def _phrases(text: str) -> tuple[str, ...]:
    parts = " ".join(text.split()).split(";")
    return tuple(part.strip() for part in parts if part.strip())


ORGANIZATIONS = _phrases("""
    Siemens; Volkswagen; BMW; Daimler; Bayer; BASF; Deutsche Bahn; Deutsche Bank; Deutsche
    Telekom; Lufthansa; Commerzbank; Allianz; SAP; Adidas; Puma; Bosch; Continental; Henkel;
    Aldi; Lidl; Rewe; Edeka; Audi; Porsche; Opel; ThyssenKrupp; E.ON; RWE; Merck; Infineon;
    Zalando; Renault; Peugeot; Citroën; Michelin; Total; Danone; L'Oréal; Carrefour; Air
    France; Airbus; Orange; Vivendi; Bouygues; Société Générale; BNP Paribas; Crédit Agricole;
    EDF; SNCF; RATP; Alstom; Thales; Sanofi; LVMH; Telefónica; Santander; BBVA; Repsol;
    Iberdrola; Inditex; Zara; Mercadona; Iberia; Seat; Renfe; El Corte Inglés; Pemex; Cemex;
    Televisa; Fiat; Ferrari; Lamborghini; Maserati; Eni; Enel; Telecom     Italia; UniCredit;
    Intesa Sanpaolo; Generali; Pirelli; Barilla; Ferrero; Luxottica; Mediaset; Rai; Alitalia;
    Trenitalia; Philips; Shell; Unilever; Heineken; ING; ABN AMRO; Rabobank; KLM; ASML; Ahold;
    Albert Heijn; HEMA; KPN; PostNL; Bol; TomTom; Petrobras; Vale; Itaú; Bradesco; Embraer;
    Gol; Natura; Galp; EDP; TAP; Sonae; Jerónimo Martins; Orlen; PKO BP; PZU; KGHM; LOT;
    Allegro; Biedronka; Żabka; Google; Microsoft; Apple; Amazon; Facebook; Meta; Twitter;
    Netflix; Intel; IBM; Oracle; Nokia; Ericsson; Samsung; Sony; Toyota; Honda; Nissan;
    Mitsubishi; Hyundai; Huawei; Lenovo; Boeing; Ford; General Motors; Tesla; Uber; Airbnb;
    PayPal; eBay; Spotify; Nestlé; Novartis; Roche; UBS; Credit     Suisse; Swatch; Swisscom;
    Ikea; Volvo; H&M; Maersk; Lego; Carlsberg; Pfizer; Moderna; AstraZeneca; Goldman Sachs;
    JPMorgan Chase; Morgan Stanley; Procter & Gamble; Coca-Cola; Pepsi; McDonald's; Starbucks;
    Walmart; Nike; Disney; Warner Bros.; Universal Pictures; Paramount; Columbia Records; EMI;
    Sony Music; RCA; Atlantic Records; Def Jam; Motown; NBC; CBS; ABC; CNN; BBC; ITV; HBO;
    MTV; ARD; ZDF; RTL; ProSieben; Sat.1; ORF; SRF; TF1; France 2; Canal+; Arte; TVE; Antena
    3; Telecinco; RTVE; Sky; VRT; NOS; RTP; SIC; TVI; Rede Globo; SBT; TVP; TVN; Polsat;
    Reuters; AFP; dpa; EFE; ANSA; PAP; Lusa; NATO; UNO; UNESCO; UNICEF; WHO; EU; OECD; NASA;
    ESA; CERN; FIFA; UEFA; IOC; FBI; CIA; KGB; Interpol; Greenpeace; Amnesty International;
    Unicef; Human Rights Watch; Oxfam; WWF; Caritas; Harvard; Oxford; Cambridge; Yale;
    Princeton; Stanford; MIT; Sorbonne; Max-Planck-Institut; Fraunhofer; CNRS; CSIC; Suhrkamp;
    S. Fischer; Rowohlt; Reclam; C. H. Beck; Springer; De Gruyter; Gallimard; Flammarion;
    Hachette; Seuil; Grasset; Planeta; Anagrama; Alianza; Mondadori; Einaudi; Feltrinelli;
    Laterza; Penguin Books; Random House; HarperCollins; Routledge; Elsevier; Wiley; Cambridge
    University Press; Querido; Bertelsmann; Elle; Vogue; Der Spiegel; Die Zeit; Bild;
    Süddeutsche Zeitung; Le Monde; El País; Corriere della Sera; The Guardian; The New York
    Times; Washington Post; Rolling Stone; Billboard; Bayern; Marvel; DC Comics; Nintendo;
    Sega; Ubisoft; Electronic Arts; Blizzard; Rockstar Games; Valve; Hamas; Hisbollah;
    Taliban; Al-Qaida; ETA; IRA; Rote Armee Fraktion; Waffen-SS; Wehrmacht; Luftwaffe;
    Gestapo; NSDAP; Royal Air Force; US Navy; Rotes Kreuz; Opus Dei; Jesuiten; Franziskaner;
    Scientology
""")

TEAMS = _phrases("""
    FC Bayern München; Borussia Dortmund; Schalke 04; Werder Bremen; Hamburger SV; VfB
    Stuttgart; Hertha BSC; Bayer Leverkusen; Eintracht Frankfurt; 1. FC Köln; Hannover 96; RB
    Leipzig; 1. FC Nürnberg; SC Freiburg; Union Berlin; Rapid Wien; Austria Wien; Sturm Graz;
    FC Basel; Young Boys; Grasshoppers; Paris     Saint-Germain; Olympique de Marseille;
    Olympique Lyonnais; AS Monaco; Girondins de Bordeaux; Lille OSC; Stade Rennais; AS
    Saint-Étienne; Real Madrid; FC Barcelona; Atlético Madrid; Sevilla; Valencia; Athletic
    Bilbao; Real Sociedad; Betis; Espanyol; Villarreal; Osasuna; Celta de Vigo; Boca Juniors;
    River Plate; Racing Club; Independiente; América; Chivas; Cruz Azul; Pumas; Juventus;
    Milan; Inter; Roma; Lazio; Napoli; Fiorentina; Sampdoria; Genoa; Torino; Atalanta;
    Udinese; Cagliari; Parma; Ajax; PSV; Feyenoord; AZ; FC Twente; FC Utrecht; Vitesse;
    Anderlecht; Club Brugge; Standard Luik; Genk; Benfica; Sporting; FC Porto; Braga;
    Boavista; Flamengo; Corinthians; Palmeiras; Santos; São Paulo; Vasco da Gama; Fluminense;
    Grêmio; Internacional; Cruzeiro; Atlético Mineiro; Botafogo; Legia Warszawa; Lech Poznań;
    Wisła Kraków; Górnik Zabrze; Ruch Chorzów; Cracovia; Widzew Łódź; Manchester United;
    Manchester City; Arsenal; Chelsea; Liverpool; Everton; Tottenham Hotspur; Aston Villa;
    Leeds United; Celtic; Rangers; Galatasaray; Fenerbahçe; Beşiktaş; Olympiakos; Dynamo Kiew;
    Spartak; ZSKA; Zenit; Philadelphia 76ers; San Antonio Spurs; Milwaukee Bucks; Houston
    Rockets; Golden State Warriors; Indiana Pacers; Denver Broncos; Atlanta Braves; Florida
    Panthers; Pittsburgh Penguins; Cleveland Cavaliers; Chicago Cubs; Los Angeles Lakers;
    Chicago Bulls; Boston Celtics; Miami Heat; New York Yankees; Boston Red Sox; Dallas
    Cowboys; Green Bay Packers; New England Patriots; Detroit Red Wings; Toronto Maple Leafs;
    Ferrari; McLaren; Red Bull; Williams; Mercedes; Lotus; Telekom; Rabobank; Movistar; Sky
""")

BRANDS = _phrases("""
    iPhone; iPad; Galaxy; Windows; Windows 10; Linux; Android; Firefox; Chrome; Excel; Word;
    WhatsApp; Instagram; YouTube; Telegram; PlayStation; Xbox; Switch; Kindle; Alexa; Siri;
    Golf; Passat; Polo; Corsa; Astra; Fiesta; Focus; Clio; Twingo; Panda; Punto; Corolla;
    Prius; Civic; Model 3; Airbus A320; Boeing 747; Concorde; Titanic; Thermomix; Nespresso;
    Nutella; Aspirin; Ibuprofen; Paracetamol; Excel-Tabelle; PDF; Netflix-Abo; Bahncard;
    Kreditkarte; Visa; Mastercard; Maestro; WLAN; Router; Laptop; Drucker; Fahrrad; Sofa;
    Waschmaschine; Kühlschrank; Java; Python; PHP; JavaScript; Ubuntu; Debian; Photoshop;
    Office 365
""")

WORKS = _phrases("""
    Star Wars; Star Trek; Titanic; Avatar; Matrix; Inception; Gladiator; Casablanca; Psycho;
    Vertigo; Alien; Tatort; Lindenstraße; Das Boot; Der Untergang; Das Leben der Anderen; Good
    Bye, Lenin!; Metropolis; Faust; Die Zauberflöte; Fidelio; La Traviata; Aida; Rigoletto;
    Tosca; Carmen; Le nozze di Figaro; Parsifal; Les Misérables; Germinal; L'Étranger; Le
    Petit Prince; La Peste; Amélie; Intouchables; La Haine; La casa de papel; Volver; El
    laberinto del fauno; Rayuela; La dolce vita; Il postino; La vita è bella; Divina Commedia;
    Decameron; Il nome della rosa; Pan Tadeusz; Quo vadis; Lalka; Potop; Solaris; Człowiek
    z marmuru; Os Lusíadas; Cidade de Deus; Turks Fruit; De ontdekking van de hemel; Breaking
    Bad; Friends; Game of Thrones; The Wire; The Sopranos; Lost; House of Cards; The Simpsons;
    South Park; Doctor Who; Downton Abbey; Abbey Road; Thriller; Nevermind; The Wall; Imagine;
    Yesterday; Hey Jude; Bohemian Rhapsody; Stairway to Heaven; Highway to Hell; Smells Like
    Teen Spirit; Born to Run; Purple Rain; Like a Virgin; The Lord of the Rings; The Hobbit;
    Dune; Ulysses; Moby-Dick; Lolita; Hamlet; Macbeth; Othello; Guernica; Call of Duty; Grand
    Theft Auto; World of Warcraft; The Legend of Zelda; Super Mario Bros.; Minecraft;
    Fortnite; Tetris; Pokémon; Dragon Ball; Naruto; One Piece; Sailor Moon; Death Note;
    Asterix; Tintin
""")

BANDS = _phrases("""
    Limp Bizkit; Deftones; Linkin Park; Foo Fighters; Jefferson Airplane; Jethro Tull; Franz
    Ferdinand; Van Halen; Lynyrd Skynyrd; Alice in Chains; Pearl Jam; Guns N' Roses; Bon Jovi;
    Slayer; Megadeth; Kreator; Sodom; The Beatles; Rolling Stones; Led Zeppelin; Pink Floyd;
    Queen; AC/DC; Metallica; Iron Maiden; Nirvana; Radiohead; Oasis; Coldplay; U2; Genesis;
    Deep Purple; Black Sabbath; Kraftwerk; Rammstein; Die Ärzte; Tokio Hotel; ABBA; Roxette;
    Daft Punk; Måneskin; Los Lobos; Maná; Golden Earring; Within Temptation; Sepultura; Legião
    Urbana; Xutos & Pontapés; Perfect; Lady Pank; Red Hot Chili Peppers; Green Day
""")

EVENTS = _phrases("""
    Champions League; Bundesliga; Europa League; DFB-Pokal; Premier League; La Liga; Serie A;
    Ligue 1; Eredivisie; Ekstraklasa; Copa América; Copa Libertadores; Coppa Italia; Copa del
    Rey; Tour de France; Giro d'Italia; Vuelta; Roland Garros; Wimbledon; US Open; Australian
    Open; Grammy; Oscar; Golden Globe; Emmy; Berlinale; Eurovision Song Contest; Super Bowl;
    NBA; NHL; NFL; Formel 1; Grand Prix; Expo 2000; Rock in Rio; Carnaval; Oktoberfest;
    Olimpiadi; Mondiali; Jeux olympiques; Coupe du monde; Olympia
""")

GEOGRAPHY = _phrases("""
    Rhein; Donau; Elbe; Main; Neckar; Mosel; Bodensee; Harz; Schwarzwald; Erzgebirge; Alpen;
    Zugspitze; Ostsee; Nordsee; Mittelmeer; Atlantik; Pazifik; Seine; Loire; Rhône; Garonne;
    Jura; Vosges; Pyrénées; Mont Blanc; Massif central; Manche; Méditerranée; Ebro; Tajo;
    Duero; Guadalquivir; Sierra Nevada; Pirineos; Andes; Amazonas; Orinoco; Caribe;
    Mediterráneo; Po; Tevere; Arno; Adige; Dolomiti; Appennini; Etna; Vesuvio; Adriatico;
    Maas; Schelde; Waal; IJssel; IJsselmeer; Waddenzee; Noordzee; Veluwe; Ardennen; Tejo;
    Douro; Mondego; Serra da Estrela; Amazônia; São Francisco; Wisła; Odra; Warta; Bug; Tatry;
    Karpaty; Bałtyk; Sudety; Bieszczady; Himalaya; Everest; Kilimandscharo; Sahara; Nil; Nilo;
    Mississippi; Missouri; Colorado; Volga; Ural; Tundra; Sahel; Kaukasus; Balkan; Krim;
    Sibirien; Kalahari; Patagonia; Yucatán; Sinai; Jupiter; Saturn; Mars; Venus
""")

SPECIES = _phrases("""
    Quercus robur; Abies alba; Picea abies; Rosa canina; Viola odorata; Salvia pratensis;
    Carex nigra; Orchis     mascula; Bombus terrestris; Apis mellifera; Carabus auratus;
    Papilio machaon; Vanessa atalanta; Pieris     brassicae; Noctua pronuba; Parus major;
    Corvus corax; Turdus merula; Falco peregrinus; Salmo trutta; Esox     lucius; Cyprinus
    carpio; Rana temporaria; Lacerta agilis; Felis silvestris; Canis lupus; Vulpes vulpes;
    Homo sapiens; Tyrannosaurus rex; Escherichia coli; Amanita muscaria; Boletus edulis;
    Acacia; Eucalyptus; Coleoptera; Lepidoptera; Hymenoptera; Asteraceae; Fabaceae; Poaceae;
    Rosaceae; Noctuidae; Geometridae
""")

SAINTS_AND_RULERS = _phrases("""
    Platon; Aristoteles; Sokrates; Homer; Cicero; Seneca; Vergil; Ovid; Augustus; Nero;
    Hannibal; Kleopatra; Aristote; Platone; Sócrates; Sofokles; Euripides; Archimedes;
    Pythagoras; Hippokrates; Herodot; Plutarch; Julius Caesar; Jules César; Julio César;
    Giulio Cesare; Júlio César; Juliusz Cezar; Marcus Aurelius; Marc     Aurel; Dante;
    Petrarca; Boccaccio; Michelangelo; Raffaello; Tizian; Tintoretto; Caravaggio; Rembrandt;
    Vermeer; Molière; Voltaire; Stendhal; Napoleon; Napoléon; Napoleone; Napoléon Bonaparte;
    Karl der Große; Friedrich der Große; Katharina die Große; Alexander der Große;
    Charlemagne; Carlomagno; Carlo Magno; Alexandre le Grand; Alejandro Magno; Alessandro
    Magno; Karel de Grote; Alexander de Grote; Kazimierz Wielki; Karol Wielki; Aleksander
    Wielki; Mahomet; Mohammed; Moses; Moïse; Abraham; David; Salomon; Buddha; Konfuzius;
    Lao-Tse; Paulus; Petrus; Johannes; Augustinus; Agostinho; Tomás de Aquino; Thomas von
    Aquin; Thomas d'Aquin; Tommaso d'Aquino; Hildegard von Bingen; Jeanne d'Arc; Juana de
    Arco; Ivan le Terrible; Leonardo da Vinci; Johann ohne Land; Richard Löwenherz; Ludwig der
    Fromme; Pipin; Theoderich; Attila; Dschingis Khan; Timur; Saladin; Süleyman; Rumi;
    Avicenna; Averroes; Erasmus; Erasmus von Rotterdam; Madonna; Prince; Shakira; Rihanna;
    Adele; Beyoncé; Eminem; Drake; Sting; Bono; Moby; Björk; Falco; Nena; Socrate; Aristotele;
    Platão; Cristo; Gesù; Jesus; Jésus; Jesús; Chrystus; Jezus; Jezusa; Voltaire; Cartesio;
    Descartes; Virgilio; Virgile; Cicerone; Cicéron; Cícero; Cyceron; Sofocle; Alcibiade;
    Erodoto; Hérodote; Heródoto; Tacitus; Tacite; Nerone; Néron; Tiberius; Trajan; Trajano;
    Hadrian; Adriano; Konstantin; Constantino; Costantino; Justinian; Giustiniano;
    Arystoteles; Horacy; Owidiusz; Herodes; Erode; Einstein; Shakespeare; Newton; Darwin;
    Marx; Freud; Kant; Hegel; Nietzsche; Goethe; Schiller; Mozart; Beethoven; Bach; Wagner;
    Verdi; Puccini; Picasso; Dalí; Goya; Velázquez; Cervantes; Borges; Zola; Balzac; Proust;
    Sartre; Camus; Pascal; Rousseau; Diderot; Galilei; Galileo; Machiavelli; Manzoni;
    Leopardi; Pessoa; Camões; Saramago; Chopin; Mickiewicz; Kopernik; Spinoza; Van Gogh;
    Rubens; Hitler; Stalin; Lenin; Mussolini; Churchill; Roosevelt; Obama; Clinton; Trump;
    Putin; Merkel; Kohl; Macron; Sarkozy; de Gaulle; Berlusconi; Salazar; Wałęsa; Tusk;
    Paracelso; Boezio; Giotto; Donatello; Tiziano; Raphael; Bembo; Caracalla; Buda; Pelé;
    Ronaldinho; Kaká; Neymar; Ronaldo; Rivaldo; Xavi; Deco; Pepe; Zico; Garrincha; Hulk; Raúl;
    Isco
""")

ACRONYMS = tuple("ABCDEFGHIKLMNOPRSTUVWZ")


MONTHS = {
    "de": _phrases("""
        Januar; Februar; März; April; Mai; Juni; Juli; August; September; Oktober;
        November; Dezember
    """),
    "fr": _phrases("""
        janvier; février; mars; avril; mai; juin; juillet; août; septembre; octobre;
        novembre; décembre
    """),
    "es": _phrases("""
        enero; febrero; marzo; abril; mayo; junio; julio; agosto; septiembre; octubre;
        noviembre; diciembre
    """),
    "it": _phrases("""
        gennaio; febbraio; marzo; aprile; maggio; giugno; luglio; agosto; settembre;
        ottobre; novembre; dicembre
    """),
    "nl": _phrases("""
        januari; februari; maart; april; mei; juni; juli; augustus; september; oktober;
        november; december
    """),
    "pt": _phrases("""
        janeiro; fevereiro; março; abril; maio; junho; julho; agosto; setembro; outubro;
        novembro; dezembro
    """),
    "pl": _phrases("""
        stycznia; lutego; marca; kwietnia; maja; czerwca; lipca; sierpnia; września;
        października; listopada; grudnia
    """),
}  # fmt: skip

DAYS = {
    "de": _phrases("""
        Montag; Dienstag; Mittwoch; Donnerstag; Freitag; Samstag; Sonnabend; Sonntag
    """),
    "fr": _phrases("""
        lundi; mardi; mercredi; jeudi; vendredi; samedi; dimanche
    """),
    "es": _phrases("""
        lunes; martes; miércoles; jueves; viernes; sábado; domingo
    """),
    "it": _phrases("""
        lunedì; martedì; mercoledì; giovedì; venerdì; sabato; domenica
    """),
    "nl": _phrases("""
        maandag; dinsdag; woensdag; donderdag; vrijdag; zaterdag; zondag
    """),
    "pt": _phrases("""
        segunda-feira; terça-feira; quarta-feira; quinta-feira; sexta-feira; sábado;
        domingo
    """),
    "pl": _phrases("""
        poniedziałek; wtorek; środę; czwartek; piątek; sobotę; niedzielę
    """),
}  # fmt: skip

DATES = {
    "de": "{day}. {month} {year}",
    "fr": "{day} {month} {year}",
    "es": "{day} de {month} de {year}",
    "it": "{day} {month} {year}",
    "nl": "{day} {month} {year}",
    "pt": "{day} de {month} de {year}",
    "pl": "{day} {month} {year}",
}

JOBS = {
    "de": _phrases("""
        Schauspieler; Politiker; Schriftsteller; Maler; Komponist; Jurist; Historiker;
        Fußballspieler; Sänger; Arzt; Ingenieur; Philosoph; Physiker; Regisseur; Lehrer;
        Journalist; Architekt; Bischof; General; Unternehmer; Politikerin; Schauspielerin;
        Autorin; Ärztin; Sängerin
    """),
    "fr": _phrases("""
        acteur; homme politique; écrivain; peintre; compositeur; avocat; historien;
        footballeur; chanteur; médecin; ingénieur; philosophe; physicien; réalisateur;
        professeur; journaliste; architecte; évêque; général; actrice; chanteuse;
        romancière; infirmière; coureur cycliste
    """),
    "es": _phrases("""
        actor; político; escritor; pintor; compositor; abogado; historiador; futbolista;
        cantante; médico; ingeniero; filósofo; físico; director; profesor; periodista;
        arquitecto; obispo; general; actriz; escritora; enfermera; empresario; ciclista
    """),
    "it": _phrases("""
        attore; politico; scrittore; pittore; compositore; avvocato; storico; calciatore;
        cantante; medico; ingegnere; filosofo; fisico; regista; insegnante; giornalista;
        architetto; vescovo; generale; attrice; scrittrice; infermiera; imprenditore;
        ciclista
    """),
    "nl": _phrases("""
        acteur; politicus; schrijver; schilder; componist; advocaat; historicus;
        voetballer; zanger; arts; ingenieur; filosoof; natuurkundige; regisseur; leraar;
        journalist; architect; bisschop; generaal; actrice; schrijfster; verpleegkundige;
        ondernemer; wielrenner
    """),
    "pt": _phrases("""
        ator; político; escritor; pintor; compositor; advogado; historiador; futebolista;
        cantor; médico; engenheiro; filósofo; físico; realizador; professor; jornalista;
        arquiteto; bispo; general; atriz; escritora; enfermeira; empresário; ciclista
    """),
    "pl": _phrases("""
        aktor; polityk; pisarz; malarz; kompozytor; prawnik; historyk; piłkarz;
        piosenkarz; lekarz; inżynier; filozof; fizyk; reżyser; nauczyciel; dziennikarz;
        architekt; biskup; generał; aktorka; pisarka; pielęgniarka; przedsiębiorca; kolarz
    """),
}  # fmt: skip

# How organisations are called after towns, surnames, words and letters.
FORMS = {
    "de": _phrases("""
        Universität {C}; FC {C}; SV {C}; TSV {C}; Stadtwerke {C}; {L} GmbH; {L} AG; {L} &
        {L} KG; {L}-Stiftung; {F}-{L}-Schule; Klinikum {C}; {V}; {C}er Zeitung; Landkreis
        {C}; Bistum {C}; Deutscher {X}verband; Bundesamt für {X}; Ministerium für {X}; Amt
        {C}; Institut für {X}; Hotel {X}; Gasthaus {X}; {X}bank; {L}-Werke; Haus {L};
        {C}er {X}
    """),
    "fr": _phrases("""
        université de {C}; FC {C}; AS {C}; Olympique de {C}; {L} SA; {L} & Fils; groupe
        {L}; fondation {L}; lycée {F}-{L}; {V}; ministère de la {X}; Institut national de
        {X}; Hôtel de la {X}; Banque de {C}; diocèse de {C}; éditions {L}; Crédit {X};
        maison {L}; stade {F}-{L}; rue {F}-{L}
    """),
    "es": _phrases("""
        Universidad de {C}; CD {C}; Real {C}; Club Deportivo {C}; {L} S.A.; Grupo {L};
        Fundación {L}; {V}; Ministerio de {X}; Instituto Nacional de {X}; Hotel {X}; Banco
        de {C}; Diócesis de {C}; Editorial {L}; Ayuntamiento de {C}; Diario de {C}; Caja
        {C}; Colegio {F} {L}; Hermanos {L} S.L.
    """),
    "it": _phrases("""
        Università di {C}; AC {C}; US {C}; {L} S.p.A.; Gruppo {L}; Fondazione {L}; {V};
        Ministero della {X}; Istituto Nazionale di {X}; Hotel {X}; Banca di {C}; Diocesi
        di {C}; Editore {L}; Comune di {C}; Gazzetta di {C}; Liceo {L}; Fratelli {L}
        S.r.l.; Via {F} {L}; Piazza {L}
    """),
    "nl": _phrases("""
        Universiteit {C}; FC {C}; SC {C}; VV {C}; {L} BV; {L} & Zonen; {L} Groep;
        Stichting {X}; {V}; Ministerie van {X}; Rijksinstituut voor {X}; Hotel {X}; Bisdom
        {C}; Uitgeverij {L}; Gemeente {C}; {C}se Courant; {F} {L}-school; {L}straat;
        Museum {X}; Huis {X}
    """),
    "pt": _phrases("""
        Universidade de {C}; SC {C}; Sporting de {C}; Clube de {C}; {L} S.A.; Grupo {L};
        Fundação {L}; {V}; Ministério da {X}; Instituto Nacional de {X}; Hotel {X}; Banco
        de {C}; Diocese de {C}; Editora {L}; Câmara Municipal de {C}; Diário de {C};
        Escola {F} {L}; Irmãos {L} Lda.; Rua {F} {L}; Avenida {L}
    """),
    "pl": _phrases("""
        Uniwersytet w {C6}; Politechnika w {C6}; KS {C}; Polonia {C}; Stal {C}; {L} sp. z
        o.o.; {L} S.A.; Grupa {L}; Fundacja {X}; {V}; Ministerstwo {X}; Instytut {X};
        Hotel {X}; Bank {X}; Diecezja w {C6}; Wydawnictwo {L}; Urząd Miasta {C}; Gazeta
        {C}; ulica {L2}; Szkoła im. {L2}
    """),
}  # fmt: skip
