"""Generated data whose dependence is known: linear, curved, and none at all."""

from collections.abc import Iterator

import numpy as np

from benchmarks.paper.cases import Case, Table
from benchmarks.paper.hiding import Floats, Values

SEED = 2017
WORLDS = ("linear", "curved", "independent")
REGIONS = np.array(["east", "north", "south", "west"], object)

QUERIES = {
    "average": "SELECT AVG(income), COUNT(income) FROM people",
    "filter": "SELECT AVG(income), COUNT(income) FROM people WHERE education >= 14 AND age < 60",
    "group": "SELECT region, AVG(income), COUNT(income) FROM people GROUP BY region",
    "join": "SELECT sex, AVG(pressure), COUNT(pressure) FROM people, visits "
    "WHERE people.id = visits.id AND income >= 40000 GROUP BY sex",
}
"""The paper's shapes: a bare average, filters, groups, a join with a filter on what is missing."""

DRIVERS = {
    "people": {"income": "age", "education": "age", "region": "tenure"},
    "visits": {"pressure": "weight"},
}
"""What is hidden, and by which complete column under MAR."""


def generated(people: int, worlds: int) -> Iterator[Case]:
    """The four queries in each of the first worlds."""
    for world in WORLDS[:worlds]:
        tables = tables_of(world, people)
        for name, sql in QUERIES.items():
            used = {t: tables[t] for t in ("people", "visits") if t == "people" or "visits" in sql}
            drivers = {t: {c: d for c, d in DRIVERS[t].items() if c in sql} for t in used}
            yield Case(name, world, sql, used, drivers)


def tables_of(world: str, people: int) -> dict[str, Table]:
    """People and a visit of each.

    Age, tenure and sex are complete. Education depends on age, region on tenure, income on age, education and region,
    weight on sex and age, pressure on weight and age: linearly; through bends, steps and a product (`curved`); or not
    at all (`independent`: what depends is shuffled).
    """
    rng = np.random.default_rng([SEED, people, WORLDS.index(world)])
    age, tenure = rng.integers(18, 80, people), np.round(rng.gamma(2.0, 4.0, people), 1)
    sex = rng.choice(np.array(["f", "m"], object), people)
    older, longer = (age - 49) / 18, (tenure - 8) / 5.7
    education = np.clip(np.rint(13 - 1.5 * _bent(older, world) + rng.normal(0, 2.0, people)), 6, 20).astype(np.int64)
    region = REGIONS[np.clip(np.rint(1.5 + longer + rng.normal(0, 0.7, people)), 0, 3).astype(np.intp)]
    north = np.isin(region, ("north", "west"))
    income = 42_000 + 9_000 * _bent(older, world) + 2_500 * (education - 13) + 4_000 * north
    if world == "curved":
        income = income + 1_500 * np.where(sex == "f", 1, -1) * (education - 13)
    income = np.round(income + rng.normal(0, 7_000, people))
    weight = np.round(70 + 8 * (sex == "m") + 4 * older + rng.normal(0, 9, people), 1)
    pressure = np.round(122 + 8 * _bent((weight - 74) / 11, world) + 5 * older + rng.normal(0, 8, people))
    depending = {"education": education, "region": region, "income": income, "pressure": pressure, "weight": weight}
    if world == "independent":
        depending = {name: rng.permutation(values) for name, values in depending.items()}
    number = np.arange(people)
    first: Table = {"id": number, "age": age, "tenure": tenure, "sex": sex}
    first |= {name: depending[name] for name in ("education", "region", "income")}
    return {"people": first, "visits": {"id": number, **_last(depending)}}


def _bent(score: Floats, world: str) -> Floats:
    """A standardised column as it acts on others: as it is, or bent with a step."""
    return score if world != "curved" else 0.7 * score**2 - 0.7 + 0.8 * (score > 0.3)


def _last(depending: dict[str, Values]) -> Table:
    return {name: depending[name] for name in ("weight", "pressure")}
