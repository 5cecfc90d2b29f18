"""`npms forecast-backtest`: how far off the forecast of days left is, beside the naive one."""

from typing import Annotated

import typer

from npms_tools.backtest.loads import lively, street_homes
from npms_tools.backtest.measure import Score, score


def backtest(
    meters: Annotated[int, typer.Option(min=4, help="homes of the street")] = 24,
    days: Annotated[int, typer.Option(min=120, help="days of load curves")] = 240,
) -> None:
    """Exit status 1 where the naive forecast (the last day continues) is as good."""
    homes = street_homes(meters, days)
    scores = {
        "street as it is": score(homes),
        "with weekends, journeys, weather": score([lively(home) for home in homes]),
    }
    typer.echo("mean absolute error of days left, as a share of the days that were left")
    for name, measured in scores.items():
        typer.echo(_line(name, measured))
    if any(one.error >= one.naive_error for one in scores.values()):
        raise typer.Exit(code=1)


def _line(name: str, measured: Score) -> str:
    return (
        f"  {name:33} {measured.error:6.1%}   naive {measured.naive_error:6.1%}   "
        f"{measured.homes} homes, {measured.days} days, {measured.forecasts} forecasts"
    )
