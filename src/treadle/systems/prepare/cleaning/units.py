"""Units that can be converted into one another: a short table, exact by definition, of scale and offset to a base unit.

Source: BIPM, "The International System of Units", 9th edition; NIST Special Publication 811, appendix B. Fractions keep
the conversion exact until the one multiplication, one addition and one division that a value goes through.
"""

from __future__ import annotations

import math
from fractions import Fraction

from treadle.ground.errors import did_you_mean
from treadle.systems.prepare.errors import CleaningRefused

_SCALES: dict[str, dict[str, str]] = {
    "temperature": {"K": "1", "degC": "1", "degF": "5/9"},
    "length": {"m": "1", "km": "1000", "cm": "1/100", "mm": "1/1000", "in": "0.0254", "ft": "0.3048", "yd": "0.9144",
               "mi": "1609.344", "nmi": "1852"},
    "area": {"m2": "1", "km2": "1000000", "ha": "10000", "ft2": "0.09290304", "acre": "4046.8564224"},
    "volume": {"m3": "1", "L": "1/1000", "mL": "1/1000000", "ft3": "0.028316846592", "gal_us": "0.003785411784"},
    "mass": {"kg": "1", "g": "1/1000", "mg": "1/1000000", "t": "1000", "lb": "0.45359237", "oz": "0.028349523125"},
    "time": {"s": "1", "ms": "1/1000", "min": "60", "h": "3600", "d": "86400"},
    "speed": {"m/s": "1", "km/h": "5/18", "mph": "0.44704", "kn": "463/900", "ft/s": "0.3048"},
    "pressure": {"Pa": "1", "hPa": "100", "kPa": "1000", "bar": "100000", "mbar": "100", "atm": "101325",
                 "psi": "6894.757", "inHg": "3386.389", "mmHg": "133.3224"},
    "energy": {"J": "1", "kJ": "1000", "MJ": "1000000", "Wh": "3600", "kWh": "3600000", "cal": "4.184", "kcal": "4184"},
    "power": {"W": "1", "kW": "1000", "MW": "1000000"},
    "data": {"B": "1", "kB": "1000", "MB": "1000000", "GB": "1000000000", "KiB": "1024", "MiB": "1048576",
             "GiB": "1073741824"},
    "ratio": {"1": "1", "%": "1/100", "permille": "1/1000", "ppm": "1/1000000"},
}  # fmt: skip
"""By what is measured: how many of the base unit one of each is. `psi`, `inHg` and `mmHg` are rounded as the source does."""

_ZEROS = {"degC": Fraction("273.15"), "degF": Fraction("459.67") * Fraction(5, 9)}
"""Where the zero of a unit stands, in the base unit, when not at the base unit's own."""

_SAME = {"°C": "degC", "°F": "degF", "C": "degC", "F": "degF", "celsius": "degC", "fahrenheit": "degF", "kelvin": "K",
         "mps": "m/s", "kmh": "km/h", "kph": "km/h", "kt": "kn", "knots": "kn", "m²": "m2", "m³": "m3", "l": "L",
         "percent": "%", "‰": "permille", "miles": "mi", "feet": "ft", "inch": "in", "hours": "h", "minutes": "min"}  # fmt: skip

UNITS = {
    unit: (measured, Fraction(scale), _ZEROS.get(unit, Fraction(0)))
    for measured, units in _SCALES.items()
    for unit, scale in units.items()
}
"""By unit: what it measures, how many of the base unit one of it is, and where its zero stands."""


def is_unit(name: str) -> bool:
    """Whether the table has a unit of that name."""
    return _SAME.get(name, name) in UNITS


def conversion(source: str, target: str) -> tuple[float, float, float]:
    """(a, b, c), so that a value x in `source` is (x * a + b) / c in `target`. Raises CleaningRefused."""
    one, other = _unit(source), _unit(target)
    if one[0] != other[0]:
        raise CleaningRefused(
            f"{source!r} cannot be converted into {target!r}.", why=f"One measures {one[0]}, the other {other[0]}."
        )
    slope, offset = one[1] / other[1], (one[2] - other[2]) / other[1]
    shared = math.lcm(slope.denominator, offset.denominator)
    return float(slope * shared), float(offset * shared), float(shared)


def _unit(name: str) -> tuple[str, Fraction, Fraction]:
    found = UNITS.get(_SAME.get(name, name))
    if found is None:
        raise CleaningRefused(
            f"The unit {name!r} is not known.",
            why=did_you_mean(name, [*UNITS, *_SAME]),
            fix=f"Write one of: {', '.join(UNITS)}.",
        )
    return found


def spellings() -> list[str]:
    """Every name under which a unit can be written."""
    return [*UNITS, *_SAME]
