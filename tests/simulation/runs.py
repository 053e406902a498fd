"""One seed, run and judged."""

import gc
import logging
import traceback
from dataclasses import dataclass

from tests.simulation.ledger import Verdict
from tests.simulation.scenario import Plan
from tests.simulation.simulation import Figures, Simulation


@dataclass(slots=True)
class Run:
    """What came of one seed."""

    seed: int
    events: int
    faults: bool
    verdict: Verdict
    figures: Figures
    error: str = ""

    @property
    def broken(self) -> list[str]:
        """Promises that did not hold."""
        found = [self.error] if self.error else list(self.verdict.faults)
        if not self.faults and self.verdict.unknown:
            found.append(f"{self.verdict.unknown} unknown attempts in a run without faults")
        if not self.faults and self.verdict.duplicates > 0.001 * self.verdict.delivered:
            found.append(f"{self.verdict.duplicates} duplicates in a run without faults")
        return found

    @property
    def command(self) -> str:
        """What repeats it."""
        return f"make simulate SEED={self.seed} EVENTS={self.events}" + ("" if self.faults else " CALM=1")


def simulate(job: tuple[int, int, bool]) -> Run:
    """One run, in whatever process."""
    logging.disable(logging.CRITICAL)
    seed, events, faults = job
    simulation = Simulation(Plan(seed, events, faults=faults))
    thresholds = gc.get_threshold()
    gc.set_threshold(50_000, 20, 50)  # a run keeps nearly all that it makes: looking through it is a tenth of its CPU
    try:
        verdict, error = simulation.run(), ""
    except Exception as exc:
        where = ", ".join(f"{each.name}:{each.lineno}" for each in traceback.extract_tb(exc.__traceback__)[-6:])
        verdict, error = Verdict(), f"{type(exc).__name__}: {exc} ({where})"
    finally:
        gc.set_threshold(*thresholds)
    return Run(seed, events, faults, verdict, simulation.figures, error)
