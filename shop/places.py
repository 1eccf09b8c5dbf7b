"""Where the simulated customers live and what they may be called, as plain data."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A share of the customers: one time zone with its country, cities as (city, region), and name list."""

    share: float
    timezone: str
    country: str
    locale: str
    names: str
    cities: tuple[tuple[str, str], ...]


PLACES: tuple[Place, ...] = (
    Place(
        0.25, "Europe/London", "GB", "en-GB", "english",
        (("London", "England"), ("Manchester", "England"), ("Leeds", "England"), ("Bristol", "England"),
         ("Edinburgh", "Scotland"), ("Glasgow", "Scotland"), ("Cardiff", "Wales"), ("Belfast", "Northern Ireland")),
    ),
    Place(
        0.17, "Europe/Berlin", "DE", "de-DE", "german",
        (("Berlin", "Berlin"), ("Hamburg", "Hamburg"), ("Munich", "Bavaria"), ("Cologne", "North Rhine-Westphalia"),
         ("Leipzig", "Saxony"), ("Stuttgart", "Baden-Württemberg"), ("Freiburg", "Baden-Württemberg")),
    ),
    Place(
        0.16, "America/New_York", "US", "en-US", "english",
        (("New York", "New York"), ("Boston", "Massachusetts"), ("Philadelphia", "Pennsylvania"),
         ("Atlanta", "Georgia"), ("Miami", "Florida"), ("Washington", "District of Columbia")),
    ),
    Place(
        0.06, "America/Chicago", "US", "en-US", "english",
        (("Chicago", "Illinois"), ("Austin", "Texas"), ("Minneapolis", "Minnesota"), ("New Orleans", "Louisiana")),
    ),
    Place(
        0.10, "America/Los_Angeles", "US", "en-US", "english",
        (("Los Angeles", "California"), ("San Francisco", "California"), ("Seattle", "Washington"),
         ("Portland", "Oregon")),
    ),
    Place(
        0.07, "Europe/Paris", "FR", "fr-FR", "french",
        (("Paris", "Île-de-France"), ("Lyon", "Auvergne-Rhône-Alpes"), ("Nantes", "Pays de la Loire"),
         ("Toulouse", "Occitanie")),
    ),
    Place(
        0.04, "Europe/Madrid", "ES", "es-ES", "spanish",
        (("Madrid", "Comunidad de Madrid"), ("Valencia", "Comunitat Valenciana"), ("Seville", "Andalucía")),
    ),
    Place(
        0.03, "America/Toronto", "CA", "en-CA", "english",
        (("Toronto", "Ontario"), ("Ottawa", "Ontario"), ("Kingston", "Ontario")),
    ),
    Place(
        0.05, "Asia/Tokyo", "JP", "ja-JP", "japanese",
        (("Tokyo", "Tokyo"), ("Osaka", "Osaka"), ("Yokohama", "Kanagawa"), ("Sapporo", "Hokkaido")),
    ),
    Place(
        0.03, "Asia/Kolkata", "IN", "en-IN", "indian",
        (("Mumbai", "Maharashtra"), ("Bengaluru", "Karnataka"), ("Delhi", "Delhi")),
    ),
    Place(
        0.04, "Australia/Sydney", "AU", "en-AU", "english",
        (("Sydney", "New South Wales"), ("Newcastle", "New South Wales"), ("Wollongong", "New South Wales")),
    ),
)  # fmt: skip

FIRST_NAMES_FEMALE: dict[str, tuple[str, ...]] = {
    "english": (
        *(
            "Olivia",
            "Amelia",
            "Grace",
            "Chloe",
            "Hannah",
            "Emily",
            "Sophie",
            "Megan",
            "Rachel",
            "Zoe",
            "Abigail",
        ),
        *("Natalie", "Jasmine", "Lauren", "Ruby", "Eleanor", "Harriet", "Brooke", "Naomi", "Leah", "Imogen"),
    ),
    "german": (
        "Anna",
        "Lena",
        "Katharina",
        "Jule",
        "Mareike",
        "Sabine",
        "Änne",
        "Greta",
        "Franziska",
        "Ulrike",
    ),
    "french": ("Camille", "Élodie", "Chloé", "Manon", "Aurélie", "Léa", "Margaux", "Inès", "Juliette"),
    "spanish": ("Lucía", "Marta", "Carmen", "Inés", "Paula", "Nuria", "Begoña", "Sofía"),
    "japanese": ("Yuki", "Haruka", "Sakura", "Aoi", "Misaki", "Rina", "Akiko", "Hina"),
    "indian": ("Ananya", "Priya", "Kavya", "Meera", "Ishita", "Divya", "Nandini", "Shreya"),
}
FIRST_NAMES_MALE: dict[str, tuple[str, ...]] = {
    "english": (
        *("Oliver", "Jack", "Harry", "George", "Thomas", "James", "Daniel", "Ethan", "Liam", "Noah", "Owen"),
        *("Marcus", "Callum", "Ryan", "Nathan", "Isaac", "Theo", "Dylan", "Connor", "Malcolm", "Tyrone"),
    ),
    "german": (
        "Jonas",
        "Lukas",
        "Felix",
        "Jürgen",
        "Matthias",
        "Tobias",
        "Björn",
        "Stefan",
        "Moritz",
        "Sören",
    ),
    "french": ("Lucas", "Hugo", "Théo", "Mathieu", "Jérôme", "Antoine", "Rémi", "Étienne", "Julien"),
    "spanish": ("Javier", "Álvaro", "Diego", "Andrés", "Pablo", "Sergio", "Iñaki", "Raúl"),
    "japanese": ("Haruto", "Kenji", "Takumi", "Daiki", "Ren", "Shota", "Kaito", "Hiroshi"),
    "indian": ("Arjun", "Rohan", "Vikram", "Aditya", "Karan", "Sanjay", "Rahul", "Nikhil"),
}
LAST_NAMES: dict[str, tuple[str, ...]] = {
    "english": (
        *(
            "Smith",
            "Jones",
            "Taylor",
            "Brown",
            "Wilson",
            "Evans",
            "Walker",
            "Wright",
            "Hughes",
            "Green",
            "Hall",
        ),
        *(
            "Clarke",
            "Turner",
            "Cooper",
            "Ward",
            "Bailey",
            "Bennett",
            "Foster",
            "Reid",
            "O'Connor",
            "Mbeki",
            "Patel",
        ),
        *("Carter", "Rivera", "Nguyen", "Coleman", "Ramirez", "Brooks"),
    ),
    "german": (
        *(
            "Müller",
            "Schmidt",
            "Schneider",
            "Fischer",
            "Weber",
            "Wagner",
            "Becker",
            "Schäfer",
            "Koch",
            "Krüger",
        ),
        *("Vogel", "Größ", "Yılmaz", "Lindner"),
    ),
    "french": (
        "Martin",
        "Bernard",
        "Dubois",
        "Lefèvre",
        "Moreau",
        "Girard",
        "Mercier",
        "Benoît",
        "Faure",
        "Traoré",
    ),
    "spanish": ("García", "Martínez", "López", "Sánchez", "Núñez", "Ortega", "Ibáñez", "Vidal"),
    "japanese": ("Sato", "Suzuki", "Takahashi", "Tanaka", "Watanabe", "Ito", "Yamamoto", "Kobayashi"),
    "indian": ("Sharma", "Verma", "Iyer", "Reddy", "Nair", "Gupta", "Kulkarni", "Singh"),
}
COMPANY_WORDS: tuple[str, ...] = (
    "Harbour",
    "Linden",
    "Summit",
    "Brightside",
    "Kingsway",
    "Meridian",
    "Alder",
)
COMPANY_KINDS: dict[str, str] = {
    "Physio": "Healthcare",
    "Studios": "Fitness clubs",
    "Hotels": "Hospitality",
    "Logistics": "Transport",
    "Software": "Technology",
}
JOB_ROLES: tuple[str, ...] = ("Owner", "Studio manager", "Purchasing", "Physiotherapist", "People & culture")
COMPANY_SIZES: tuple[str, ...] = ("1-9", "10-49", "50-249", "250+")
