"""What the simulated shop sells, as plain data: subcategories, brands, names of models, what goes with what.

Prices are in euros. How products are made of these lists is decided in ``shop.catalogue``.
"""

from __future__ import annotations

from typing import NamedTuple


class Subcategory(NamedTuple):
    """A shelf of the shop. cycle_days: a pack lasts that long, 0 for durables; peak_month: 0 for no season."""

    category: str
    name: str
    noun: str
    products: int
    low: float
    high: float
    cycle_days: int = 0
    peak_month: int = 0
    is_sensitive: bool = False


SUBCATEGORIES: tuple[Subcategory, ...] = (
    Subcategory("Running", "Running Shoes", "Running Shoes", 16, 75, 165, 0, 4),
    Subcategory("Running", "Trail Shoes", "Trail Shoes", 10, 80, 160, 0, 5),
    Subcategory("Running", "Running Socks", "Running Socks", 10, 8, 22),
    Subcategory("Running", "Running Tops", "Running Top", 10, 22, 55, 0, 5),
    Subcategory("Running", "Running Shorts", "Running Shorts", 9, 20, 50, 0, 6),
    Subcategory("Running", "Running Jackets", "Running Jacket", 9, 55, 130, 0, 11),
    Subcategory("Tech", "Fitness Trackers", "Fitness Tracker", 10, 39, 149, 0, 12),
    Subcategory("Tech", "GPS Watches", "GPS Watch", 9, 149, 399, 0, 12),
    Subcategory("Tech", "Heart Rate Sensors", "Heart Rate Sensor", 6, 39, 95),
    Subcategory("Tech", "Sports Headphones", "Sports Headphones", 8, 35, 129),
    Subcategory("Cycling", "Helmets", "Bike Helmet", 8, 39, 140, 0, 5),
    Subcategory("Cycling", "Jerseys", "Cycling Jersey", 9, 35, 95, 0, 6),
    Subcategory("Cycling", "Bike Lights", "Bike Light Set", 8, 19, 69, 0, 11),
    Subcategory("Cycling", "Bib Shorts", "Bib Shorts", 8, 45, 120, 0, 6),
    Subcategory("Yoga", "Yoga Mats", "Yoga Mat", 10, 19, 85, 0, 1),
    Subcategory("Yoga", "Blocks & Straps", "Yoga Block Set", 7, 10, 32),
    Subcategory("Yoga", "Leggings", "Leggings", 11, 29, 85),
    Subcategory("Strength", "Dumbbells", "Dumbbell Pair", 8, 25, 120, 0, 1),
    Subcategory("Strength", "Kettlebells", "Kettlebell", 8, 25, 95, 0, 1),
    Subcategory("Strength", "Resistance Bands", "Resistance Bands", 8, 10, 38, 0, 1),
    Subcategory("Hiking", "Hiking Boots", "Hiking Boots", 11, 85, 210, 0, 5),
    Subcategory("Hiking", "Backpacks", "Backpack", 11, 45, 160, 0, 6),
    Subcategory("Hiking", "Tents", "Tent", 7, 110, 320, 0, 6),
    Subcategory("Hiking", "Sleeping Bags", "Sleeping Bag", 7, 60, 190, 0, 6),
    Subcategory("Hiking", "Water Bottles", "Water Bottle", 10, 12, 39, 0, 6),
    Subcategory("Hiking", "Base Layers", "Base Layer", 9, 30, 80, 0, 12),
    Subcategory("Hiking", "Rain Jackets", "Rain Jacket", 9, 70, 190, 0, 10),
    Subcategory("Swimming", "Goggles", "Swim Goggles", 8, 12, 42, 0, 7),
    Subcategory("Swimming", "Swimwear", "Training Swimsuit", 9, 28, 75, 0, 7),
    Subcategory("Nutrition", "Protein Powder", "Protein Powder", 11, 24, 52, 32, 1),
    Subcategory("Nutrition", "Energy Gels", "Energy Gels, Box of 12", 9, 17, 32, 26, 5),
    Subcategory("Nutrition", "Electrolytes", "Electrolyte Tablets", 8, 9, 22, 30, 7),
    Subcategory("Nutrition", "Protein Bars", "Protein Bars, Box of 12", 9, 18, 34, 21),
    Subcategory("Nutrition", "Vitamins", "Daily Vitamins", 8, 12, 35, 60, 1),
    Subcategory("Skincare", "Sunscreen", "Sport Sunscreen", 9, 11, 29, 45, 7),
    Subcategory("Skincare", "Moisturisers", "Face Moisturiser", 9, 14, 42, 50, 12),
    Subcategory("Skincare", "Lip & Hand Care", "Hand Balm", 7, 6, 18, 55, 12),
    Subcategory("Recovery", "Foam Rollers", "Foam Roller", 8, 16, 49, 0, 1),
    Subcategory("Recovery", "Massage Guns", "Massage Gun", 7, 69, 220, 0, 12),
    Subcategory("Recovery", "Muscle Rubs", "Muscle Rub", 7, 9, 24, 40),
    Subcategory("Recovery", "Bath Salts", "Bath Salts", 7, 8, 22, 35, 1),
    Subcategory("Home & Sleep", "Pillows", "Pillow", 7, 29, 89),
    Subcategory("Home & Sleep", "Diffusers", "Aroma Diffuser", 7, 22, 69, 0, 12),
    Subcategory("Home & Sleep", "Candles", "Scented Candle", 9, 12, 38, 40, 12),
    Subcategory("Intimate Health", "Lubricants", "Intimate Lubricant", 5, 9, 24, 60, 0, True),
    Subcategory("Intimate Health", "Pelvic Trainers", "Pelvic Floor Trainer", 4, 39, 149, 0, 0, True),
    Subcategory("Intimate Health", "Discreet Protection", "Discreet Pads", 4, 8, 19, 30, 0, True),
)

BRANDS: dict[str, tuple[str, ...]] = {
    "Running": ("Corvana", "Strideon", "Velaro", "Fleetfield", "Marsden Mile"),
    "Tech": ("Pulsewright", "Orbanta", "Tickwell", "Velaro"),
    "Cycling": ("Spokehaven", "Rondello", "Kettra", "Velaro"),
    "Yoga": ("Stillwater & Co", "Asanova", "Linden Loft"),
    "Strength": ("Ironmoor", "Hefta", "Kettra"),
    "Hiking": ("Northfell", "Bergwen", "Tarnhow", "Oakrigg"),
    "Swimming": ("Lanefour", "Tidewick", "Corvana"),
    "Nutrition": ("Fuelbarn", "Grainwise", "Macro Mill", "Oatfield"),
    "Skincare": ("Saltleaf", "Derm & Dale", "Oakrigg"),
    "Recovery": ("Loosen", "Restwell", "Saltleaf"),
    "Home & Sleep": ("Linden Loft", "Restwell", "Hearthby"),
    "Intimate Health": ("Verity", "Softly"),
}

MODELS: tuple[str, ...] = (
    *("Tempo", "Aero", "Summit", "Drift", "Pulse", "Ridge", "Flow", "Core", "Cadence", "Horizon", "Glide"),
    *("Ember", "Swift", "Terra", "Nimbus", "Quest", "Vista", "Breeze", "Anchor", "Stride", "Fern", "Alto"),
)
FLAVOURS: tuple[str, ...] = (
    *("Vanilla", "Cocoa", "Berry", "Citrus", "Salted Caramel", "Mint", "Peach", "Original", "Apple", "Mocha"),
    *("Coconut", "Cherry"),
)
SCENTS: tuple[str, ...] = (
    *("Cedar", "Lavender", "Sea Salt", "Aloe", "Rosemary", "Bergamot", "Unscented", "Eucalyptus", "Fig"),
    *("Pine", "Oat", "Juniper"),
)

GOES_WITH: dict[str, tuple[str, ...]] = {
    "Running Shoes": ("Running Socks", "Fitness Trackers", "Energy Gels"),
    "Trail Shoes": ("Running Socks", "Water Bottles", "Electrolytes"),
    "Running Socks": ("Running Shoes", "Running Tops"),
    "Running Tops": ("Running Shorts", "Running Socks"),
    "Running Shorts": ("Running Tops", "Running Socks"),
    "Running Jackets": ("Running Tops", "Base Layers"),
    "Fitness Trackers": ("Heart Rate Sensors", "Sports Headphones"),
    "GPS Watches": ("Heart Rate Sensors", "Running Shoes"),
    "Heart Rate Sensors": ("GPS Watches", "Electrolytes"),
    "Sports Headphones": ("Running Tops", "Fitness Trackers"),
    "Helmets": ("Bike Lights", "Jerseys"),
    "Jerseys": ("Bib Shorts", "Energy Gels"),
    "Bike Lights": ("Helmets", "Rain Jackets"),
    "Bib Shorts": ("Jerseys", "Muscle Rubs"),
    "Yoga Mats": ("Blocks & Straps", "Leggings"),
    "Blocks & Straps": ("Yoga Mats", "Candles"),
    "Leggings": ("Yoga Mats", "Running Tops"),
    "Dumbbells": ("Resistance Bands", "Protein Powder"),
    "Kettlebells": ("Resistance Bands", "Protein Powder"),
    "Resistance Bands": ("Foam Rollers", "Dumbbells"),
    "Hiking Boots": ("Base Layers", "Water Bottles", "Backpacks"),
    "Backpacks": ("Water Bottles", "Rain Jackets"),
    "Tents": ("Sleeping Bags", "Backpacks"),
    "Sleeping Bags": ("Tents", "Base Layers"),
    "Water Bottles": ("Electrolytes", "Backpacks"),
    "Base Layers": ("Rain Jackets", "Hiking Boots"),
    "Rain Jackets": ("Hiking Boots", "Base Layers"),
    "Goggles": ("Swimwear", "Sunscreen"),
    "Swimwear": ("Goggles", "Sunscreen"),
    "Protein Powder": ("Protein Bars", "Vitamins"),
    "Energy Gels": ("Electrolytes", "Protein Bars"),
    "Electrolytes": ("Energy Gels", "Water Bottles"),
    "Protein Bars": ("Protein Powder", "Energy Gels"),
    "Vitamins": ("Protein Powder", "Moisturisers"),
    "Sunscreen": ("Lip & Hand Care", "Moisturisers"),
    "Moisturisers": ("Sunscreen", "Lip & Hand Care"),
    "Lip & Hand Care": ("Moisturisers", "Candles"),
    "Foam Rollers": ("Muscle Rubs", "Massage Guns"),
    "Massage Guns": ("Foam Rollers", "Muscle Rubs"),
    "Muscle Rubs": ("Bath Salts", "Foam Rollers"),
    "Bath Salts": ("Candles", "Muscle Rubs"),
    "Pillows": ("Diffusers", "Candles"),
    "Diffusers": ("Candles", "Bath Salts"),
    "Candles": ("Diffusers", "Bath Salts"),
    "Lubricants": ("Pelvic Trainers",),
    "Pelvic Trainers": ("Lubricants",),
    "Discreet Protection": ("Pelvic Trainers",),
}
