"""`hypertransfer calibrate`: fits the rates of the cost model to the runs in the store."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from hypertransfer.cli.plan import surveys_of
from hypertransfer.maintenance import calibration
from hypertransfer.studies.main_config import main_config, studies_folder


def run(arguments: argparse.Namespace) -> int:
    """Fit the rates, and write them to `cost.yaml` beside the main config.

    Returns 1 if the store has too few runs, otherwise 0.

    Raises:
        ConfigError: every problem of the configs.
        StoreError: the store cannot be used.
    """
    config, origins = main_config(arguments.configfile, arguments.config)
    studies = studies_folder(arguments.configfile)
    surveys = surveys_of(config, studies, origins)
    timings = calibration.trainings(surveys)
    if sum(map(len, timings.values())) < calibration.FEWEST:
        text = f"fewer than {calibration.FEWEST} runs of these studies are in {config['store']}"
        print(f"{text}: train runs first, with `snakemake`", file=sys.stderr)
        return 1
    device = calibration.main_device(timings)
    before, runs = surveys[0].plan.rates, timings[device]
    rates = calibration.fit(runs, before)
    products = calibration.products(surveys, rates, device)
    rates = replace(rates, products_per_checkpoint=products)
    file, origin = studies.parent / "cost.yaml", f"{len(runs)} runs on {device}"
    calibration.write(file, rates, origin)
    print(f"{file}: from {origin}")
    print(f"  former rates      {calibration.estimate_error(runs, before)}")
    print(f"  calibrated rates  {calibration.estimate_error(runs, rates)}")
    return 0
