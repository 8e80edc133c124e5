"""`weighbridge power`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from weighbridge.cli.saying import say


@click.command(name="power")
@click.option(
    "--margin", default=0.05, show_default=True, help="A difference of rates smaller than this does not matter."
)
@click.option("--alpha", default=0.05, show_default=True, help="The error allowed to the verdict.")
@click.option("--base-rate", required=True, type=float, help="How often the baseline does it, 0 to 1.")
@click.option("--difference", default=0.0, show_default=True, help="How much more often the candidate does, in truth.")
@click.option("--correlation", default=0.0, show_default=True, help="Of the two answers to one prompt, -1 to 1.")
@click.option(
    "--power", "power_", default=0.9, show_default=True, help="How surely a fixed number of prompts should decide."
)
@click.option(
    "--prompts", type=click.IntRange(min=1), help="The most that could be asked (default: 1.1 times the fixed number)."
)
@click.option("--seed", default=20240404, show_default=True, help="Of the simulation.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def command(
    margin: float,
    alpha: float,
    base_rate: float,
    difference: float,
    correlation: float,
    power_: float,
    prompts: int | None,
    seed: int,
    as_json: bool,
) -> None:
    """Say how many prompts a comparison will need: a fixed number, and in sequence, stopping when it is decided.

    For yes/no answers, one try a prompt, by seeded simulation. Graded values and several tries need fewer.
    """
    from weighbridge.analysis.power import prompts_for

    need = prompts_for(
        margin=margin,
        alpha=alpha,
        base_rate=base_rate,
        difference=difference,
        correlation=correlation,
        power=power_,
        horizon=prompts,
        seed=seed,
    )
    if as_json:
        say(json.dumps(asdict(need)))
        return
    exact = f"{need.fixed_exact:,}" if need.fixed_exact is not None else "more than 20,000"
    say(
        "\n".join(
            (
                f"A true difference of {difference * 100:+g} points over a base rate of {base_rate * 100:g} %, margin {margin * 100:g} points:",
                "",
                f"  fixed number    {need.fixed:,} prompts by the usual formula; {exact} with a test that keeps its promise",
                f"  in sequence     {need.expected:,.0f} prompts on average, {need.percentile_90:,} in 9 of 10 weighings, at most {need.horizon:,}",
                f"  ends            right {need.right * 100:.1f} %, wrong {need.wrong * 100:.1f} %, undecided {need.undecided * 100:.1f} %",
                "",
                f"By {need.replicates:,} simulated weighings, seed {seed}.",
            )
        )
    )
