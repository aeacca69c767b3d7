"""Words that the tagger takes for persons: organizations, teams, products, places, abbreviations.

They count for single words only: a surname that a text gives with a first name stays a person.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that end the name of an organization, a competition or a building.
FORMS = _words(
    """
    inc incorporated corp corporation ltd limited co company companies plc llc llp lp gmbh ag
    kg ug sa nv bv ab as oy spa srl sarl pty kk group holdings holding bank banks university
    college academy institute foundation trust council committee commission ministry
    department agency authority bureau association federation union party alliance coalition
    congress parliament senate hospital clinic school church cathedral museum gallery theatre
    library laboratory laboratories labs airlines airways airport motors motor systems
    technologies technology tech software networks network solutions services industries
    industrial energy oil gas petroleum resources mining steel chemical chemicals
    pharmaceuticals pharma biotech foods brewery breweries records studios studio pictures
    films entertainment media television tv radio broadcasting press news times gazette herald
    tribune journal magazine games gaming interactive online capital securities investments
    insurance financial finance assurance partners consulting associates international global
    worldwide fc afc united rovers athletic albion hotspur wanderers rangers town rfc cc club
    league cup championship championships open olympics stadium arena centre center tower
    building bridge railway railways station airlines telecom telecommunications
    communications wireless mobile semiconductor semiconductors electronics instruments
    computers computer hotels hotel resorts stores store supermarkets retail orchestra
    philharmonic band quartet festival awards award prize
    """
)
# Words after the name of a place or of a family.
GEOGRAPHY = _words(
    """
    river mountains mountain lake square tunnel valley island islands county counties park
    beach bay hills peninsula desert forest family dynasty empire street road avenue cocktail
    cocktails scandal affair report case trial effect syndrome disease doctrine plan act bill
    treaty accord
    """
)
_COMPANIES = """
    oracle peoplesoft microsoft google apple amazon facebook meta netflix twitter yahoo ebay
    paypal intel amd nvidia ibm dell compaq lenovo cisco nokia ericsson motorola samsung sony
    panasonic toshiba hitachi fujitsu nec sharp philips siemens bosch sap adobe symantec
    mcafee novell netscape mozilla sun macromedia autodesk salesforce vmware citrix redhat
    canonical suse mandriva debian sega nintendo capcom konami activision ubisoft vivendi
    toyota honda nissan mazda subaru suzuki mitsubishi hyundai kia daewoo ford chrysler
    chevrolet chevy cadillac buick pontiac dodge jeep tesla volvo saab volkswagen audi bmw
    mercedes porsche opel vauxhall fiat ferrari lamborghini maserati alfa peugeot renault
    citroen skoda seat jaguar rover bentley aston lotus mclaren williams minardi sauber
    harley-davidson kawasaki yamaha ducati boeing airbus lockheed northrop raytheon embraer
    bombardier exxon exxonmobil chevron texaco shell bp total elf gazprom yukos rosneft lukoil
    sibneft yuganskneftegas petrobras pemex conocophillips halliburton enron worldcom vodafone
    orange verizon sprint comcast telefonica cingular walmart wal-mart tesco sainsbury
    sainsburys asda morrisons safeway carrefour lidl aldi ikea kmart sears target costco
    harrods selfridges debenhams boots primark zara gap nike adidas reebok puma levi gucci
    prada unilever nestle danone kraft kellogg heinz cadbury pepsi pepsico coca-cola coke
    budweiser heineken carlsberg guinness diageo mcdonalds starbucks kfc subway pfizer merck
    glaxosmithkline glaxo novartis roche bayer astrazeneca sanofi aventis genentech amgen
    monsanto dupont basf dow citigroup citibank barclays hsbc natwest lloyds santander ubs
    nomura mizuho lehman merrill wachovia allianz axa prudential aviva reuters reuter
    bloomberg xinhua kyodo tass itar-tass interfax dpa afp upi pti ansa efe cnn bbc itv nbc
    cbs abc fox hbo espn mtv disney pixar dreamworks paramount universal miramax lucasfilm
    warner viacom emi motown virgin sky napster itunes kazaa grokster gamespot slashdot
    wikipedia skype uber lyft airbnb spotify tiktok instagram whatsapp snapchat pinterest
    reddit tumblr youtube linkedin openai anthropic deepmind huawei xiaomi oppo alibaba
    tencent baidu lenovo byd infosys wipro tata reliance deloitte kpmg accenture mckinsey pwc
    fedex ups dhl maersk lufthansa alitalia qantas ryanair easyjet iberia aeroflot swissair
    klm delta pan-am amtrak eurostar eurotunnel greenpeace oxfam unicef unesco opec nato fifa
    uefa nasa esa fda fbi cia irs sec opec ecb imf hamas hezbollah fatah
"""
_PRODUCTS = """
    linux unix windows firefox chrome safari opera explorer netscape thunderbird outlook excel
    word powerpoint photoshop acrobat java javascript typescript python perl php ruby rails
    django flask react angular vue node kotlin swift scala haskell rust golang docker
    kubernetes jenkins ansible terraform apache nginx mysql postgres postgresql mongodb redis
    kafka hadoop spark airflow tensorflow pytorch keras numpy pandas polars jupyter github
    gitlab bitbucket jira confluence slack zoom teams android ios macos ubuntu fedora debian
    centos gentoo slackware knoppix solaris vms dos mac macintosh ipod ipad iphone imac
    macbook powerbook quadra centris duo newton performa xbox playstation ps2 ps3 psp gameboy
    gamecube wii switch nes dreamcast genesis pentium athlon celeron opteron itanium xeon
    radeon geforce bluetooth wifi ethernet scsi usb firewire kindle alexa siri cortana chatgpt
    gemini copilot claude corolla camry prius civic accord focus fiesta mondeo mustang golf
    passat polo jetta beetle clio megane corsa astra vectra mini leaf rav4 explorer viper
    corvette camaro taurus escort sierra viagra vioxx celebrex prozac zoloft lipitor aspirin
    ibuprofen paracetamol tylenol advil valium xanax ritalin adderall ambien botox insulin
    metformin warfarin tamoxifen herceptin avastin gleevec humira remdesivir amoxicillin
    penicillin morphine codeine oxycontin fentanyl methadone seldane claritin halcion tetris
    zelda pokemon minecraft fortnite halo quake doom myst warcraft starcraft mario sonic gta
    fifa motif xterm xview emacs vi vim latex tex postscript ghostscript hypercard quicktime
    quickdraw uncle clipper bitcoin ethereum dogecoin litecoin monero tether
"""
_TEAMS = """
    everton chelsea arsenal liverpool spurs tottenham fulham charlton portsmouth southampton
    middlesbrough blackburn bolton birmingham norwich sunderland newcastle leeds leicester
    ipswich wigan burnley watford reading millwall wimbledon gillingham wolves villa stoke
    swansea cardiff celtic hearts hibs hibernian aberdeen dundee kilmarnock motherwell
    juventus milan inter roma lazio napoli fiorentina parma sampdoria udinese barcelona barca
    madrid atletico valencia sevilla villarreal deportivo betis bilbao bayern dortmund schalke
    leverkusen werder hertha ajax psv feyenoord porto benfica lyon marseille monaco bordeaux
    galatasaray fenerbahce besiktas olympiakos panathinaikos rosenborg anderlecht munster
    leinster ulster connacht wasps saracens harlequins gloucester bath sale leicester
    worcester llanelli ospreys scarlets dragons perpignan toulouse stade biarritz lakers
    celtics bulls knicks warriors rockets spurs suns heat magic nets pistons pacers bucks
    hawks hornets wizards cavaliers mavericks nuggets clippers kings jazz grizzlies raptors
    yankees mets redsox dodgers giants cubs braves phillies orioles astros marlins padres
    athletics mariners cardinals pirates brewers twins royals rangers expos devils penguins
    bruins canadiens leafs sabres flyers islanders capitals blackhawks oilers flames canucks
    sharks ducks senators nordiques patriots steelers cowboys packers bears broncos raiders
    chargers chiefs colts dolphins eagles redskins 49ers seahawks rams falcons panthers saints
    buccaneers vikings lions bengals browns texans titans jaguars ravens wallabies springboks
    pumas lions
"""
_BANDS = """
    u2 abba coldplay oasis blur radiohead metallica nirvana pixies franz-ferdinand keane
    travis embrace queen genesis pulp suede muse placebo blondie eurythmics outkast destiny's
    scissor busted mcfly westlife boyzone beatles stones kinks sex-pistols ramones aerosmith
    megadeth slayer kraftwerk rammstein supergrass stereophonics snow-patrol razorlight
    kasabian
"""
_PLACES = """
    london paris berlin rome madrid vienna prague budapest warsaw moscow kiev kyiv minsk
    athens lisbon dublin belfast edinburgh glasgow cardiff manchester sheffield nottingham
    bristol brighton oxford cambridge york leeds hull derby coventry plymouth exeter
    bournemouth blackpool brussels antwerp ghent amsterdam rotterdam hague utrecht copenhagen
    stockholm oslo helsinki tallinn riga vilnius zurich geneva basel bern munich hamburg
    frankfurt cologne stuttgart dresden leipzig bremen hanover essen barcelona seville lyon
    nice marseilles naples turin venice florence genoa bologna istanbul ankara cairo
    alexandria tripoli tunis algiers casablanca lagos nairobi johannesburg pretoria durban
    harare kabul baghdad basra falluja mosul tehran damascus beirut jerusalem gaza ramallah
    hebron amman riyadh jeddah dubai doha kuwait karachi lahore islamabad delhi mumbai bombay
    calcutta madras chennai bangalore hyderabad kathmandu dhaka colombo bangkok hanoi saigon
    manila jakarta singapore beijing shanghai tianjin shenzhen guangzhou taipei tokyo osaka
    kyoto nagoya seoul pyongyang sydney melbourne brisbane perth adelaide canberra auckland
    wellington toronto montreal vancouver ottawa calgary winnipeg quebec boston chicago
    detroit cleveland cincinnati pittsburgh philadelphia baltimore washington atlanta miami
    orlando tampa memphis nashville dallas houston austin denver phoenix seattle portland
    oakland sacramento hollywood broadway manhattan brooklyn queens bronx harlem vegas reno
    milwaukee minneapolis omaha havana bogota caracas lima quito santiago buenos montevideo
    brasilia rio england scotland wales ireland britain uk usa europe asia africa america
    france germany spain italy portugal greece turkey russia ukraine belarus poland hungary
    romania bulgaria serbia croatia bosnia kosovo albania macedonia slovenia slovakia czech
    austria switzerland belgium netherlands holland denmark sweden norway finland iceland
    estonia latvia lithuania israel palestine lebanon syria iraq iran jordan egypt libya
    tunisia algeria morocco sudan ethiopia kenya uganda tanzania rwanda nigeria ghana senegal
    zimbabwe zambia namibia botswana pakistan india nepal bangladesh lanka burma thailand
    vietnam cambodia laos malaysia indonesia philippines china japan korea taiwan mongolia
    australia mexico cuba haiti jamaica brazil argentina chile peru colombia venezuela ecuador
    bolivia uruguay california texas florida ohio michigan pennsylvania massachusetts illinois
    indiana iowa kansas missouri oklahoma arkansas louisiana mississippi alabama tennessee
    kentucky nevada utah arizona oregon idaho montana wyoming nebraska minnesota wisconsin
    maryland delaware connecticut vermont maine hawaii alaska davos kyoto wimbledon ascot
    aintree cheltenham silverstone monza imola suzuka heathrow gatwick westminster whitehall
    downing brussels strasbourg pentagon kremlin mars venus jupiter saturn mercury titan pluto
    everest
"""
_ABBREVIATIONS = """
    ala ariz ark calif colo conn del fla ga ill ind kan ky la mass mich minn miss mo mont neb
    nev okla ore pa tenn tex va vt wash wis wyo wva dak shr shrs revs rev avg mln bln cts dlrs
    dlr pct vs qtr qtrs mths mth yr yrs net oper div divs qtly prior pay record prev adj est
    approx stg nil mkt mths corp bros govt natl intl assn dept rpt ex incl excl misc dist mfg
    tech comm sys lbs ltrs bpd tonnes fob cif lol omg btw imo imho rofl lmao tbh idk fyi asap
    rsvp eta tba tbc faq rtfm wtf smh irl afaik aka wat pls plz thx thanx gonna wanna gotta
    kinda dunno yall yo bro bruh fam lit sus lmk tgif ikr hmu re fwd cc bcc ps nb eg ie etc
    viz ibid
"""
_COMMON = """
    install download click open close select press enter type copy paste delete remove add
    update upgrade run start stop restart reboot check verify confirm submit save load edit
    view see read write send receive reply forward print scan upload visit contact call order
    buy sell pay ship return cancel subscribe unsubscribe register login logout sign dear
    hello hi hey thanks thank regards sincerely cheers best yours please note warning error
    info debug notice attention important urgent caution subject from to date organization
    lines distribution keywords summary article message newsgroups part page section chapter
    table figure appendix version release build patch bug issue ticket case request response
    query comment question answer yes no ok okay true false null none undefined def class
    function return import export const var let print readme license changelog makefile setup
    main index config test tests todo fixme monday tuesday wednesday thursday friday saturday
    sunday january february march july september october november december spring summer
    autumn winter christmas easter ramadan hanukkah halloween thanksgiving god lord jesus
    christ satan allah bible koran quran torah gospel christian christians muslim muslims jew
    jews jewish islam buddhist catholic catholics protestant mormon english french german
    spanish italian russian chinese japanese american british european african asian arab
    turkish greek dutch polish irish scottish welsh labour tory tories conservative
    conservatives democrat democrats republican republicans liberal liberals lib dem dems
    greens ukip respect plaid prime minister president chancellor secretary senator governor
    mayor judge captain coach manager director chairman professor doctor officer spokesman
    analyst bed ward room floor maestro visa mastercard amex oscar oscars emmy emmys grammy
    grammys bafta baftas brit brits golden globe globes olympic olympics paralympics champions
    premiership bundesliga serie
"""
NOT_PERSONS = (
    _words(_COMPANIES) | _words(_PRODUCTS) | _words(_TEAMS) | _words(_BANDS) | _words(_PLACES)
    | _words(_ABBREVIATIONS) | _words(_COMMON)
)  # fmt: skip
# Brands whose next word is a product, a place or a team, and no surname.
BRANDS = _words(_COMPANIES) | _words(_PRODUCTS)
# What stands right before codes and numbers of things.
THINGS = _words(
    """
    order orders ticket tickets case cases part parts sku item items ref reference invoice
    tracking bug issue issues request requests room rooms form forms bed ward gate platform
    terminal flight train bus route line model serial version page pages chapter section
    figure table row rows column step exhibit section question answer lot batch build release
    patch index port id uuid guid hash commit revision no nr number
    """
)
