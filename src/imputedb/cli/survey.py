"""A synthetic health survey with the attribute names and missing shares of NHANES; values are missing at random.

The real NHANES files are not part of imputedb. People are drawn from a small model of age, sex, size and health. Values
are missing with probabilities that depend on observed values, such as age or income.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

PEOPLE = 10_175
SEED = 2013

Array = NDArray[np.floating]
Table = dict[str, np.ma.MaskedArray]
Survey = dict[str, Table]

MISSING: Mapping[str, Mapping[str, float]] = {
    "demo": {
        "age_months": 0.9339,
        "income": 0.0131,
        "is_citizen": 0.0004,
        "marital_status": 0.4330,
        "time_in_us": 0.8125,
        "years_edu_children": 0.7245,
    },
    "labs": {
        "albumin": 0.1795,
        "blood_lead": 0.4686,
        "blood_selenium": 0.4686,
        "cholesterol": 0.2231,
        "creatine": 0.7259,
        "hematocrit": 0.1293,
        "triglyceride": 0.6794,
        "vitamin_b12": 0.4583,
        "white_blood_cell_ct": 0.1293,
    },
    "exams": {
        "arm_circumference": 0.0522,
        "blood_pressure_secs": 0.0311,
        "blood_pressure_systolic": 0.2691,
        "body_mass_index": 0.0772,
        "cuff_size": 0.2314,
        "head_circumference": 0.9767,
        "height": 0.0760,
        "waist_circumference": 0.1174,
        "weight": 0.0092,
    },
}
"""Share of the rows where an attribute is missing (paper, Table 2); all others are complete."""

_WHOLE = {"age_months", "income", "is_citizen", "marital_status", "time_in_us", "years_edu_children", "cuff_size"}


def survey(people: int = PEOPLE, seed: int = SEED) -> Survey:
    """The three tables of the survey, with missing values."""
    complete, drivers = _people(people, seed)
    rng = np.random.default_rng([seed, 1])
    out: Survey = {}
    for table, columns in complete.items():
        shares = MISSING[table]
        hidden = {c: _hidden(drivers[table][c], share, rng) for c, share in shares.items()}
        out[table] = {
            name: np.ma.masked_array(_typed(name, values), hidden.get(name, np.zeros(len(values), bool)))
            for name, values in columns.items()
        }
    return out


def truth(people: int = PEOPLE, seed: int = SEED) -> Survey:
    """The same three tables without missing values."""
    complete, _ = _people(people, seed)
    return {
        table: {name: np.ma.masked_array(_typed(name, values)) for name, values in columns.items()}
        for table, columns in complete.items()
    }


def _typed(name: str, values: Array) -> NDArray[np.generic]:
    whole = name in _WHOLE or name in ("id", "age_yrs", "gender", "num_people_household") or name.endswith("secs")
    return values.astype(np.int64) if whole else np.round(values, 1)


def _hidden(driver: Array, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """The rows whose driver, with some noise, is among the highest `share`."""
    score = driver + rng.normal(0, 1, len(driver))
    count = round(share * len(driver))
    hidden = np.zeros(len(driver), bool)
    hidden[np.argsort(-score, kind="stable")[:count]] = True
    return hidden


def _people(people: int, seed: int) -> tuple[dict[str, dict[str, Array]], dict[str, dict[str, Array]]]:
    """The complete tables, and for each attribute the observed variable that drives its missingness."""
    rng = np.random.default_rng([seed, 0])
    age = np.floor(np.clip(rng.gamma(1.6, 20, people), 0, 80))
    female = (rng.random(people) < 0.508).astype(float)
    wealth = rng.normal(0, 1, people) + 0.3 * np.tanh((age - 30) / 20)
    born_abroad = (rng.random(people) < 0.22 - 0.03 * wealth).astype(float)
    frame = rng.normal(0, 1, people)
    smoking = (rng.random(people) < np.where(age > 17, 0.25 - 0.07 * wealth, 0.0)).astype(float)
    demo = _demographics(age, female, wealth, born_abroad, people, rng)
    exams = _examinations(age, female, wealth, frame, people, rng)
    labs = _laboratory(age, female, wealth, smoking, exams, people, rng)
    examined = np.sort(rng.permutation(people)[: round(people * 9813 / PEOPLE)])
    young, old = np.clip((8 - age) / 4, -1, 2), (age - 40) / 20
    facts = {"young": young, "old": old, "female": female, "wealth": demo["income"] / 4, "abroad": born_abroad}
    seen = {name: values[examined] for name, values in facts.items()}
    tables = {
        "demo": demo,
        "labs": {name: values[examined] for name, values in labs.items()},
        "exams": {name: values[examined] for name, values in exams.items()},
    }
    size = (exams["body_mass_index"][examined] - 25) / 5
    drivers = {
        "demo": {
            "age_months": 6 * np.clip(age - 2, 0, 1),
            "income": 0.8 * old,
            "is_citizen": 2 * born_abroad,
            "marital_status": 12 * (age < 20) + 0.4 * old,
            "time_in_us": 9 * (1 - born_abroad),
            "years_edu_children": 9 * ((age < 6) | (age > 19)).astype(float),
        },
        "labs": _lab_drivers(seen, size),
        "exams": _exam_drivers(seen, size),
    }
    return tables, drivers


def _lab_drivers(seen: Mapping[str, Array], size: Array) -> dict[str, Array]:
    """The drivers of laboratory values: young, poor and heavy people refuse more often."""
    refused = 2.5 * seen["young"] - 0.3 * seen["wealth"] + 1.5 * size
    metals = refused / 2 + 0.3 * seen["old"]
    return {
        "albumin": refused,
        "blood_lead": metals,
        "blood_selenium": metals,
        "cholesterol": refused,
        "creatine": refused + 0.8 * seen["old"],
        "hematocrit": refused,
        "triglyceride": refused - 0.5 * seen["old"],
        "vitamin_b12": refused + 0.4 * seen["female"],
        "white_blood_cell_ct": refused,
    }


def _exam_drivers(seen: Mapping[str, Array], size: Array) -> dict[str, Array]:
    frail = 0.8 * seen["old"]
    return {
        "arm_circumference": 0.6 * frail + 0.4 * size,
        "blood_pressure_secs": 2 * seen["young"],
        "blood_pressure_systolic": 4 * seen["young"] + 0.3 * size,
        "body_mass_index": 3 * seen["young"],
        "cuff_size": 4 * seen["young"],
        "head_circumference": -6 * seen["young"],
        "height": 3 * seen["young"],
        "waist_circumference": 3 * seen["young"] + frail,
        "weight": 1.5 * frail - 0.6 * seen["wealth"],
    }


def _demographics(
    age: Array, female: Array, wealth: Array, abroad: Array, people: int, rng: np.random.Generator
) -> dict[str, Array]:
    married = np.where(age < 20, 5, np.where(rng.random(people) < 0.35 + 0.08 * wealth, 1, 0))
    single = np.where(age > 65, 2, np.where(rng.random(people) < 0.3, 3, np.where(rng.random(people) < 0.5, 5, 6)))
    return {
        "age_months": np.floor(age * 12 + rng.random(people) * 12),
        "age_yrs": age,
        "gender": 1 + female,
        "id": 73_557.0 + np.arange(people),
        "income": np.clip(np.round(8 + 3.4 * wealth + rng.normal(0, 1, people)), 1, 15),
        "is_citizen": 1 + (rng.random(people) < 0.02 + 0.4 * abroad),
        "marital_status": np.where(married > 0, married, single),
        "num_people_household": np.clip(np.round(4.2 - age / 30 + rng.normal(0, 1.2, people)), 1, 7),
        "time_in_us": np.clip(np.round(age / 8 + rng.normal(0, 1, people)), 1, 9),
        "years_edu_children": np.clip(np.round(age - 6 + rng.normal(0, 0.7, people)), 0, 15),
    }


def _examinations(
    age: Array, female: Array, wealth: Array, frame: Array, people: int, rng: np.random.Generator
) -> dict[str, Array]:
    grown = np.clip(age / 17, 0, 1)
    height = 55 + (122 - 13 * female) * grown**0.8 + 6.5 * (0.3 + 0.7 * grown) * rng.normal(0, 1, people)
    bulk = np.exp(0.17 * frame * grown + 0.05 * rng.normal(0, 1, people) - 0.02 * wealth)
    weight = np.clip((14.5 + 12.5 * grown + 0.03 * age) * bulk * (height / 100) ** 2, 3, 220)
    bmi = weight / (height / 100) ** 2
    arm = 9 + 0.85 * bmi + 4 * grown + rng.normal(0, 1, people)
    return {
        "arm_circumference": arm,
        "blood_pressure_secs": np.round(64 + rng.normal(0, 2, people) + 0.3 * bmi),
        "blood_pressure_systolic": 92 + 0.42 * age + 0.6 * (bmi - 20) - 3 * female + rng.normal(0, 9, people),
        "body_mass_index": bmi,
        "cuff_size": np.clip(np.round((arm - 11) / 7), 1, 5),
        "head_circumference": 36 + 9 * np.clip(age, 0, 3) / 3 + 12 * grown + rng.normal(0, 1.2, people),
        "height": height,
        "id": 73_557.0 + np.arange(people),
        "waist_circumference": 22 + 2.45 * bmi + 9 * grown - 3 * female + rng.normal(0, 3, people),
        "weight": weight,
    }


def _laboratory(
    age: Array,
    female: Array,
    wealth: Array,
    smoking: Array,
    exams: Mapping[str, Array],
    people: int,
    rng: np.random.Generator,
) -> dict[str, Array]:
    bmi = exams["body_mass_index"]
    cells = 6.6 + 1.6 * np.clip((6 - age) / 6, 0, 1) + 0.14 * (bmi - 25) - 0.45 * wealth + 1.4 * smoking
    lead = np.exp(-0.1 + 0.012 * age - 0.3 * female + 0.4 * smoking - 0.1 * wealth + rng.normal(0, 0.5, people))
    return {
        "albumin": 46 - 0.04 * age - 0.12 * (bmi - 25) + rng.normal(0, 2.5, people),
        "blood_lead": lead,
        "blood_selenium": 185 + 0.2 * age + 4 * wealth + rng.normal(0, 18, people),
        "cholesterol": 150 + 0.75 * np.minimum(age, 60) + 0.7 * (bmi - 25) + 4 * female + rng.normal(0, 30, people),
        "creatine": np.exp(4.5 - 0.25 * female + 0.01 * (bmi - 25) + 0.004 * age + rng.normal(0, 0.4, people)),
        "hematocrit": 41 - 3.6 * female * (age > 12) + 0.05 * np.minimum(age, 40) + rng.normal(0, 2.6, people),
        "id": 73_557.0 + np.arange(people),
        "triglyceride": np.exp(4.1 + 0.025 * (bmi - 20) + 0.006 * age + rng.normal(0, 0.45, people)),
        "vitamin_b12": np.exp(6.2 + 0.003 * age + 0.08 * female - 0.1 * smoking + rng.normal(0, 0.4, people)),
        "white_blood_cell_ct": np.clip(cells + rng.normal(0, 1.5, people), 1.5, 30),
    }
