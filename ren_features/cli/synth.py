"""`ren-features synth`: a cohort of synthetic patients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ren_features.console.command_line import INTERRUPTED


def synth(
    folder: Annotated[Path, typer.Argument(help="New folder for the cohort.", show_default=False)],
    patients: Annotated[int, typer.Option(help="Number of patients.")] = 24,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 0,
    scans_per_patient: Annotated[float, typer.Option(help="Scans of a patient, on average.")] = 3.2,
    spacing: Annotated[float, typer.Option(help="Size of voxels in mm; 1 gives scans of full size.")] = 3.0,
    prevalence: Annotated[float, typer.Option(help="Share of patients with interstitial lung disease.")] = 0.61,
    effect: Annotated[float, typer.Option(help="Multiplies the extent of the disease; at 0 there is none to see.")] = 1.0,
    scanners: Annotated[int, typer.Option(help="Number of scanners.")] = 4,
    scanner_bias: Annotated[
        float, typer.Option(help="How much the scanner tells of the label, 0 to 1: a shortcut. It takes two scanners.")
    ] = 0.0,
    faults: Annotated[int, typer.Option(help="Scans to damage, each in one way that quality rules know.")] = 0,
    jobs: Annotated[int | None, typer.Option(min=1, help="Worker processes.", show_default="cores")] = None,
) -> None:
    """Write a synthetic cohort: chest CTs with lobe masks, the manifest, and where which disease was put.

    Example: ren-features synth demo --patients 24 --seed 1
    """
    from ren_features.console.progress import counter
    from ren_features.cores import available_cores
    from ren_features.synthetic import CohortParameters, write_cohort

    parameters = CohortParameters(patients, seed, scans_per_patient, spacing, prevalence, effect, scanners, scanner_bias, faults)
    try:
        with counter(parameters.scans, "scans") as tell:
            manifest = write_cohort(folder, parameters, jobs=jobs or available_cores(), listener=tell)
    except KeyboardInterrupt as error:
        typer.echo(f"Interrupted: {folder} has no manifest yet. Remove it and begin anew.", err=True)
        raise typer.Exit(INTERRUPTED) from error
    typer.echo(f"{manifest}: {parameters.scans} scans of {patients} patients; what was put into them: {folder / 'truth.parquet'}")
