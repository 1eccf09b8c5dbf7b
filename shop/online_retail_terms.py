"""What the Online Retail II importer knows about the file's words: countries, fee codes, nouns of categories."""

from __future__ import annotations

from typing import NamedTuple


class Country(NamedTuple):
    """ISO 3166-1 code, the capital's time zone, the commonest locale."""

    code: str | None
    timezone: str
    locale: str


COUNTRIES: dict[str, Country] = {
    "Australia": Country("AU", "Australia/Sydney", "en-AU"),
    "Austria": Country("AT", "Europe/Vienna", "de-AT"),
    "Bahrain": Country("BH", "Asia/Bahrain", "ar-BH"),
    "Belgium": Country("BE", "Europe/Brussels", "nl-BE"),
    "Bermuda": Country("BM", "Atlantic/Bermuda", "en-BM"),
    "Brazil": Country("BR", "America/Sao_Paulo", "pt-BR"),
    "Canada": Country("CA", "America/Toronto", "en-CA"),
    "Channel Islands": Country(None, "Europe/Jersey", "en-GB"),
    "Cyprus": Country("CY", "Asia/Nicosia", "el-CY"),
    "Czech Republic": Country("CZ", "Europe/Prague", "cs-CZ"),
    "Denmark": Country("DK", "Europe/Copenhagen", "da-DK"),
    "EIRE": Country("IE", "Europe/Dublin", "en-IE"),
    "Finland": Country("FI", "Europe/Helsinki", "fi-FI"),
    "France": Country("FR", "Europe/Paris", "fr-FR"),
    "Germany": Country("DE", "Europe/Berlin", "de-DE"),
    "Greece": Country("GR", "Europe/Athens", "el-GR"),
    "Hong Kong": Country("HK", "Asia/Hong_Kong", "en-HK"),
    "Iceland": Country("IS", "Atlantic/Reykjavik", "is-IS"),
    "Israel": Country("IL", "Asia/Jerusalem", "he-IL"),
    "Italy": Country("IT", "Europe/Rome", "it-IT"),
    "Japan": Country("JP", "Asia/Tokyo", "ja-JP"),
    "Korea": Country("KR", "Asia/Seoul", "ko-KR"),
    "Lebanon": Country("LB", "Asia/Beirut", "ar-LB"),
    "Lithuania": Country("LT", "Europe/Vilnius", "lt-LT"),
    "Malta": Country("MT", "Europe/Malta", "en-MT"),
    "Netherlands": Country("NL", "Europe/Amsterdam", "nl-NL"),
    "Nigeria": Country("NG", "Africa/Lagos", "en-NG"),
    "Norway": Country("NO", "Europe/Oslo", "nb-NO"),
    "Poland": Country("PL", "Europe/Warsaw", "pl-PL"),
    "Portugal": Country("PT", "Europe/Lisbon", "pt-PT"),
    "RSA": Country("ZA", "Africa/Johannesburg", "en-ZA"),
    "Saudi Arabia": Country("SA", "Asia/Riyadh", "ar-SA"),
    "Singapore": Country("SG", "Asia/Singapore", "en-SG"),
    "Spain": Country("ES", "Europe/Madrid", "es-ES"),
    "Sweden": Country("SE", "Europe/Stockholm", "sv-SE"),
    "Switzerland": Country("CH", "Europe/Zurich", "de-CH"),
    "Thailand": Country("TH", "Asia/Bangkok", "th-TH"),
    "USA": Country("US", "America/New_York", "en-US"),
    "United Arab Emirates": Country("AE", "Asia/Dubai", "ar-AE"),
    "United Kingdom": Country("GB", "Europe/London", "en-GB"),
}

FEE_CODES = r"^(POST|DOT|M|C2|C3|D|S|B|BANK CHARGES|ADJUST\d*|AMAZONFEE|CRUK|TEST\d*|GIFT.*)$"
"""Codes that are no merchandise: postage, manual entries, discounts, samples, fees, tests, gift vouchers."""

CATEGORIES: tuple[tuple[str, str], ...] = (
    ("Christmas", "CHRISTMAS|XMAS|ADVENT|SANTA|REINDEER|BAUBLE|SNOWMAN|SNOWMEN|SNOWFLAKE"),
    ("Easter", "EASTER"),
    ("Bags & purses", "BAG|PURSE|SHOPPER|LUGGAGE TAG|BACKPACK|HANDBAG|WASHBAG|RUCKSACK|WALLET"),
    (
        "Jewellery & hair",
        "NECKLACE|BRACELET|EARRING|RING|BANGLE|BROOCH|CHARM|HAIR|PENDANT|NECK|CHOKER|BEAD|"
        "JEWELLERY|TIARA|KEYRING|KEY RING|KEY FOB|KEY-CHAIN|HAIRSLIDE|NECKL",
    ),
    (
        "Lights & candles",
        "CANDLE|T-LIGHT|TEALIGHT|LANTERN|LIGHT|LAMP|CANDLESTICK|CANDLEHOLDER|INCENSE|LAMPSHADE|CHANDELIER|LED|CANDLEPOT|SCENTCANDLE",
    ),
    (
        "Kitchen & dining",
        "MUG|CUP|TEAPOT|TEA|COFFEE|BOWL|PLATE|CAKE|CAKESTAND|BAKING|KITCHEN|CUTLERY|SPOON|FORK|KNIFE|JUG|TRAY|COASTER|"
        "APRON|OVEN|EGG|LUNCH|SNACK|BOTTLE|GLASS|DISH|JAR|NAPKIN|PLACEMAT|RECIPE|BREAD|JELLY|MOULD|SAUCER|TUMBLER|"
        "STRAW|PANTRY|COLANDER|WHISK|TOAST|BISCUIT|COOKIE|SUGAR|MILK|POPCORN|DRINKING|BEAKER|PICNIC|DOILIES|DOILEY|FLASK",
    ),
    (
        "Stationery & wrap",
        "CARD|WRAP|NOTEBOOK|PENCIL|PEN|STICKER|PAPER|RIBBON|TAPE|JOURNAL|ENVELOPE|STAMP|ERASER|RULER|MAGNET|ORGANISER|"
        "CALENDAR|SKETCHBOOK|PASSPORT|CHALK|BOOK|DIARY|LETTER|STATIONERY",
    ),
    (
        "Party",
        "PARTY|BUNTING|BALLOON|GARLAND|CONFETTI|INVITE|STREAMER|PAPER CHAIN|COCKTAIL",
    ),
    (
        "Toys & children",
        "TOY|DOLL|DOLLY|GAME|PUZZLE|JIGSAW|CHILDREN|CHILD|KID|BABY|PLAYHOUSE|SPACEBOY|SKIPPING|ABACUS|SOLDIER|TEDDY|"
        "PUPPET|DOMINOES|MARBLE|PAINT|CRAYON|BUILDING BLOCK|FELTCRAFT|PINWHEEL|YOYO|BINGO|LUDO",
    ),
    (
        "Garden & outdoor",
        "GARDEN|PLANT|PLANTER|WATERING|BIRD|PARASOL|UMBRELLA|SEED|HERB|POT|DECKCHAIR|TROWEL|SECATEUR|TWINE|FLOWER|WINDMILL|BIRDHOUSE",
    ),
    (
        "Bath & body",
        "SOAP|BATH|TOWEL|SPONGE|MAKE-UP|COSMETIC|LIP|MANICURE|HOT WATER BOTTLE|TOOTHBRUSH|TISSUE|SHOWER",
    ),
    (
        "Textiles & soft furnishings",
        "CUSHION|MAT|THROW|BLANKET|QUILT|RUG|DOORMAT|CURTAIN|TABLECLOTH|PILLOW|SCARF|SHAWL|PEG",
    ),
    (
        "Storage",
        "BOX|BOXE|BASKET|TIN|STORAGE|CABINET|DRAWER|CRATE|TRUNK|HAMPER|CASE|CHEST|SHELF|RACK|HOLDER",
    ),
    (
        "Home decoration",
        "SIGN|FRAME|CLOCK|MIRROR|HEART|WREATH|HOOK|HANGER|WALL|DOOR|DECORATION|ORNAMENT|VASE|PLAQUE|KNOB|STAR|WICKER|"
        "ART|CHIME|TILE|PHOTO|FIGURINE|STAND|HANGING|DOORSTOP|DOORKNOB|CUPID|ANGEL|BUTTERFLY|ROSE|MIRRORED|FLOCK",
    ),
)
"""(category, words that name it); the first category that matches a description wins."""

OTHER_CATEGORY = "Other gifts"
