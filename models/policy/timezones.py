"""Which clock a customer lives by.

Here: his own zone, else his country's, else UTC. Not here: when to send.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

UTC = "UTC"

COUNTRY_ZONES: Mapping[str, str] = MappingProxyType(
    {
        "AE": "Asia/Dubai",
        "AR": "America/Argentina/Buenos_Aires",
        "AT": "Europe/Vienna",
        "AU": "Australia/Sydney",
        "BE": "Europe/Brussels",
        "BG": "Europe/Sofia",
        "BH": "Asia/Bahrain",
        "BR": "America/Sao_Paulo",
        "CA": "America/Toronto",
        "CH": "Europe/Zurich",
        "CL": "America/Santiago",
        "CN": "Asia/Shanghai",
        "CO": "America/Bogota",
        "CY": "Asia/Nicosia",
        "CZ": "Europe/Prague",
        "DE": "Europe/Berlin",
        "DK": "Europe/Copenhagen",
        "EE": "Europe/Tallinn",
        "EG": "Africa/Cairo",
        "ES": "Europe/Madrid",
        "FI": "Europe/Helsinki",
        "FR": "Europe/Paris",
        "GB": "Europe/London",
        "GG": "Europe/Guernsey",
        "GR": "Europe/Athens",
        "HK": "Asia/Hong_Kong",
        "HR": "Europe/Zagreb",
        "HU": "Europe/Budapest",
        "ID": "Asia/Jakarta",
        "IE": "Europe/Dublin",
        "IL": "Asia/Jerusalem",
        "IM": "Europe/Isle_of_Man",
        "IN": "Asia/Kolkata",
        "IS": "Atlantic/Reykjavik",
        "IT": "Europe/Rome",
        "JE": "Europe/Jersey",
        "JP": "Asia/Tokyo",
        "KE": "Africa/Nairobi",
        "KR": "Asia/Seoul",
        "LB": "Asia/Beirut",
        "LT": "Europe/Vilnius",
        "LU": "Europe/Luxembourg",
        "LV": "Europe/Riga",
        "MT": "Europe/Malta",
        "MX": "America/Mexico_City",
        "MY": "Asia/Kuala_Lumpur",
        "NG": "Africa/Lagos",
        "NL": "Europe/Amsterdam",
        "NO": "Europe/Oslo",
        "NP": "Asia/Kathmandu",
        "NZ": "Pacific/Auckland",
        "PE": "America/Lima",
        "PH": "Asia/Manila",
        "PL": "Europe/Warsaw",
        "PT": "Europe/Lisbon",
        "RO": "Europe/Bucharest",
        "RS": "Europe/Belgrade",
        "SA": "Asia/Riyadh",
        "SE": "Europe/Stockholm",
        "SG": "Asia/Singapore",
        "SI": "Europe/Ljubljana",
        "SK": "Europe/Bratislava",
        "TH": "Asia/Bangkok",
        "TR": "Europe/Istanbul",
        "TW": "Asia/Taipei",
        "UA": "Europe/Kyiv",
        "US": "America/Chicago",
        "VN": "Asia/Ho_Chi_Minh",
        "ZA": "Africa/Johannesburg",
    }
)
"""ISO 3166-1 country to one zone; for a country of several, one in which many of its people live."""


def is_known_zone(zone: str) -> bool:
    """Whether the IANA name can be converted to."""
    if not zone:
        return False
    try:
        pl.select(pl.lit(0).cast(pl.Datetime("us", UTC)).dt.convert_time_zone(zone))
    except pl.exceptions.ComputeError:
        return False
    return True


def with_zone(customers: pl.DataFrame) -> pl.DataFrame:
    """Replaces `timezone` by one that exists and adds timezone_basis: 'own', 'country' or 'utc'.

    A zone nobody knows counts as none given.
    """
    named = customers.get_column("timezone").drop_nulls().unique().sort().to_list()
    own = pl.when(pl.col("timezone").is_in([zone for zone in named if is_known_zone(zone)])).then("timezone")
    of_country = pl.col("country").replace_strict(dict(COUNTRY_ZONES), default=None, return_dtype=pl.String)
    return customers.with_columns(
        timezone=pl.coalesce(own, of_country, pl.lit(UTC)),
        timezone_basis=pl.when(own.is_not_null())
        .then(pl.lit("own"))
        .when(of_country.is_not_null())
        .then(pl.lit("country"))
        .otherwise(pl.lit("utc")),
    )
