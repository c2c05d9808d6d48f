"""Bodies of HTTP requests and responses."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Scalar = str | int | float | bool | None
Whole = Annotated[int, Field(ge=0, le=2**63 - 1)]


class Strict(BaseModel):
    """A body that is validated strictly: types are exact, and unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Planned(Strict):
    """A statement, and the options that decide its plan."""

    sql: Annotated[str, Field(description="One statement in DuckDB's SQL.", examples=["SELECT avg(weight) FROM exams"])]
    parameters: Annotated[
        list[Scalar] | dict[str, Scalar] | None,
        Field(description="Values of parameters: a list for ? and $1, an object for $name."),
    ] = None
    alpha: Annotated[float, Field(ge=0, le=1, description="0 for the best answer, 1 for the fastest.")] = 0.0
    within_ms: Annotated[
        float | None,
        Field(
            gt=0,
            allow_inf_nan=False,
            description="Time limit of the answer in milliseconds, in place of alpha (WITHIN n MS).",
        ),
    ] = None
    error: Annotated[
        float | None,
        Field(gt=0, lt=1, description="Largest relative half-width of the intervals, such as 0.02 (ERROR n %)."),
    ] = None
    imputer: Annotated[str | list[str], Field(description="Name of the imputer, or names to choose from.")] = "tree"
    seed: Annotated[Whole, Field(description="Random seed; equal seeds give equal answers.")] = 0
    fit: Annotated[
        Literal["auto", "query", "table"],
        Field(description="Rows to which imputers are fitted: of the query, or of whole tables."),
    ] = "auto"
    seconds: Annotated[
        float | None, Field(gt=0, allow_inf_nan=False, description="Time limit of the request in seconds.")
    ] = None


class Query(Planned):
    """A statement to be answered."""

    m: Annotated[int, Field(ge=1, le=100_000)] | Literal["auto"] = Field(
        1, description="Number of draws; 1 for single best values without intervals."
    )
    interval: Annotated[
        Literal["population", "answer"],
        Field(description="What intervals are about: the population, or the complete table's answer."),
    ] = "population"
    level: Annotated[float, Field(gt=0, lt=1, description="Confidence level of the intervals.")] = 0.95
    method: Annotated[Literal["imputation", "aipw", "ml", "bounds"], Field(description="Method of the answer.")] = (
        "imputation"
    )
    weights: Annotated[str | None, Field(description="Column of sampling weights.")] = None
    clusters: Annotated[str | None, Field(description="Column of sampled clusters.")] = None
    rows: Annotated[int | None, Field(ge=0, le=2**31, description="Maximum number of rows.")] = None


class Explain(Planned):
    """A query whose plan is requested."""

    analyze: Annotated[bool, Field(description="Whether to run the query and measure each operator.")] = False


class Impute(Strict):
    """Rows to impute by a kept model."""

    model: Annotated[str, Field(description="Name of the model, such as vitals, or of a version, such as vitals@3.")]
    rows: Annotated[
        list[dict[str, Scalar]], Field(min_length=1, description="Rows, each with all columns that the model reads.")
    ]
    draw: Annotated[Whole | None, Field(description="Index of a draw; without one, expected values.")] = None
    keys: Annotated[list[Whole] | None, Field(description="Keys of the draws' random numbers, one for each row.")] = (
        None
    )
    spread: Annotated[bool, Field(description="Whether to return the spread between draws.")] = True


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(description="URI of the kind of problem, relative to the service.")
    title: str = Field(description="Name of the error.")
    status: int
    detail: str = Field(description="Message of the error, with its place and remedy.")
    instance: str = Field(description="Identifier of the request, as in the log.")


class Answered(BaseModel):
    """The columns and rows of an answer, and its report."""

    columns: list[str]
    types: list[str]
    rows: list[list[Any]]
    truncated: bool = Field(description="Whether the answer has more rows than were sent.")
    report: dict[str, Any]


class Imputed(BaseModel):
    """Imputed rows, with the columns that were filled in."""

    model: str = Field(description="Name and version of the model.")
    digest: str = Field(description="SHA-256 of the model's functions.")
    rows: list[dict[str, Any]]
    imputed: list[list[str]] = Field(description="Imputed columns by row.")
    spread: list[dict[str, float | None]] | None = Field(
        description="Spread between draws, by row and imputed column: the standard deviation of numbers, or the "
        "share of draws that differ from the value; null for a single draw."
    )
