"""Bodies of HTTP requests and responses."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Scalar = str | int | float | bool | None
Whole = Annotated[int, Field(ge=0, le=2**63 - 1)]


class Strict(BaseModel):
    """A body whose fields are of their types, and none of which is unknown."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Planned(Strict):
    """A statement, and what decides its plan."""

    sql: Annotated[str, Field(description="One statement in DuckDB's SQL.", examples=["SELECT avg(weight) FROM exams"])]
    parameters: Annotated[
        list[Scalar] | dict[str, Scalar] | None, Field(description="A list for ? and $1, an object for $name.")
    ] = None
    alpha: Annotated[float, Field(ge=0, le=1, description="0: the best answer; 1: the fastest.")] = 0.0
    within_ms: Annotated[
        float | None,
        Field(gt=0, allow_inf_nan=False, description="Milliseconds for the answer, in place of alpha (WITHIN n MS)."),
    ] = None
    error: Annotated[
        float | None,
        Field(gt=0, lt=1, description="Half the width of every interval beside its number, such as 0.02 (ERROR n %)."),
    ] = None
    imputer: Annotated[str | list[str], Field(description="Its name, or those to choose from.")] = "tree"
    seed: Annotated[Whole, Field(description="One seed gives one answer.")] = 0
    fit: Annotated[
        Literal["auto", "query", "table"], Field(description="To what imputers are fitted; table: kept models.")
    ] = "auto"
    seconds: Annotated[float | None, Field(gt=0, allow_inf_nan=False, description="That it may take at most.")] = None


class Query(Planned):
    """A statement to be answered."""

    m: Annotated[int, Field(ge=1, le=100_000)] | Literal["auto"] = Field(
        1, description="Draws; 1: the best values, without intervals."
    )
    interval: Annotated[Literal["population", "answer"], Field(description="What intervals are about.")] = "population"
    level: Annotated[float, Field(gt=0, lt=1, description="Of the intervals' confidence.")] = 0.95
    method: Annotated[Literal["imputation", "aipw", "ml", "bounds"], Field(description="Of answering.")] = "imputation"
    weights: Annotated[str | None, Field(description="A column of sampling weights.")] = None
    clusters: Annotated[str | None, Field(description="A column of sampled clusters.")] = None
    rows: Annotated[int | None, Field(ge=0, le=2**31, description="That are wanted at most.")] = None


class Explain(Planned):
    """A query whose plan is asked for."""

    analyze: Annotated[bool, Field(description="Run it, and measure each operator.")] = False


class Impute(Strict):
    """Rows to be filled in by a kept model."""

    model: Annotated[str, Field(description="Its name, with its version such as vitals@3, or the current one.")]
    rows: Annotated[
        list[dict[str, Scalar]], Field(min_length=1, description="Each with all columns that the model reads.")
    ]
    draw: Annotated[Whole | None, Field(description="The number of a draw; the best values without.")] = None
    keys: Annotated[list[Whole] | None, Field(description="By which draws are keyed, one a row.")] = None
    spread: Annotated[bool, Field(description="Whether to say how much draws differ.")] = True


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: str = Field(description="Which problem it is, beside the pages of the service.")
    title: str = Field(description="The name of the error.")
    status: int
    detail: str = Field(description="The thing, its place, and the way out.")
    instance: str = Field(description="The id of the request, as it is in the log.")


class Answered(BaseModel):
    """Columns, rows and what was done."""

    columns: list[str]
    types: list[str]
    rows: list[list[Any]]
    truncated: bool = Field(description="Whether there are more rows than were given.")
    report: dict[str, Any]


class Imputed(BaseModel):
    """Rows with what was filled in."""

    model: str = Field(description="Name and version.")
    digest: str = Field(description="SHA-256 of its functions.")
    rows: list[dict[str, Any]]
    imputed: list[list[str]] = Field(description="By row, the columns that were filled in.")
    spread: list[dict[str, float | None]] | None = Field(
        description="By row and filled column: of numbers the standard deviation of draws, of others the share of "
        "draws that differ from the value; null of a single draw."
    )
