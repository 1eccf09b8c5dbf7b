"""Where a day is a public holiday. Here: by country, of the whole country. Not here: what rests then (candidates)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from holidays import country_holidays


def countries_on_holiday(countries: Iterable[str], day: date) -> list[str]:
    """Those of the ISO 3166-1 codes in which `day` is a public holiday, sorted; unknown codes never are."""
    return sorted({country for country in countries if _is_holiday(country, day)})


def _is_holiday(country: str, day: date) -> bool:
    try:
        return day in country_holidays(country, years=day.year)
    except NotImplementedError:  # how `holidays` says that it does not know the country
        return False
