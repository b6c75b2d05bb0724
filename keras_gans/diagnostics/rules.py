"""What is wrong with a run, by its log: one line for each thing, and what to do.

The log is what training writes to metrics.jsonl; docs/doctor.md says where the limits
come from. Needs neither TensorFlow nor Keras.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from keras_gans.diagnostics.log import Log

VANISHED = 1e-6  # gradient norm
SATURATED = 0.9  # share of the values that should lie between
FALLEN, ALIKE = 0.6, 0.4  # diversity: against the best so far; and at all
STUCK = 0.15  # diversity, if it does not rise
SURE, PASSING = 0.03, 0.002  # D: distance of its scores from 1 and 0; share of fakes
APART, NEAR = 0.2, 0.25  # D(real) - D(fake); of it, D(held out) - D(fake)
SWING = 0.2  # how far D(real) - D(fake) goes up and down


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that is wrong with a run.

    Attributes:
        name: One of `DIAGNOSES`.
        step: Where it was noticed.
        text: What is seen, and what to do.
    """

    name: str
    step: int
    text: str

    def __str__(self) -> str:
        """One line."""
        return f"step {self.step}: {self.name}: {self.text}"


def rates(log: Log) -> str:
    """Return the settings of the players' learning rates, by the names in the log."""
    ending = "_gradient_norm"
    keys = {key for row in log.rows[-1:] for key in row if key.endswith(ending)}
    players = sorted((key.removesuffix(ending) for key in keys), reverse=True)
    return " and ".join(
        f"--set={player}_optimizer.learning_rate=" for player in players or "gd"
    )


def not_finite(log: Log) -> str | None:
    """A value became infinite or no number."""
    names = log.not_finite
    if not names:
        return None
    others = f", then {', '.join(names[1:])}" if names[1:] else ""
    return (
        f"{names[0]} was the first value to be infinite or no number{others}. Begin "
        f"again with lower rates ({rates(log)}) or clipnorm=1.0 for both"
    )


def dead_gradients(log: Log) -> str | None:
    """A player's gradient has vanished."""
    for player, name in (("generator", "g"), ("discriminator", "d")):
        norms = log.recent(f"{name}_gradient_norm")
        if len(norms) and norms.max() < VANISHED:
            return (
                f"the {player}'s gradient has vanished (its norm is at most "
                f"{norms.max():.1g}): it learns nothing any more. Begin again with "
                f"lower rates ({rates(log)}); look for weights that begin too large "
                "(init_stddev) or are held too small (hparams.clip)"
            )
    return None


def saturated(log: Log) -> str | None:
    """Values are black and white where real ones lie between."""
    shares = log.recent("saturation")
    if not len(shares) or shares.min() < SATURATED:
        return None
    return (
        f"{np.median(shares):.0%} of the values that should lie between are black or "
        "white, where the output's gradient is almost 0. Begin again with a lower "
        "--set=g_optimizer.learning_rate= or smaller generator.init_stddev"
    )


def collapse(log: Log) -> str | None:
    """Generated pictures that differed have become alike, or never differed."""
    now = log.recent("diversity")
    if not len(now):
        return None
    best, typical = log.best_diversity, np.median(now)
    fallen = typical < FALLEN * best and typical < ALIKE
    stuck = typical < STUCK and now[-1] <= 1.1 * now[0]
    if not fallen and not stuck:
        return None
    before = f", after {best:.2f}" if fallen else ""
    return (
        f"generated pictures are alike: they differ by {typical:.2f} of what real ones "
        f"do{before}. Begin again with a lower --set=g_optimizer.learning_rate=, with "
        "--set=hparams.r1_weight=1.0 (a discriminator without batch normalisation), or "
        "as wgan_gp, sngan or r3gan"
    )


def discriminator_won(log: Log) -> str | None:
    """D(real) stays near 1 and D(fake) near 0."""
    real, fake, passing = (
        log.recent(k) for k in ("real_score", "fake_score", "fakes_passing")
    )
    if not len(real) or passing.max() > PASSING:
        return None
    # Least squares and hinges leave the scores at 0.62 or 0.73: their losses reach 0.
    losses = np.array([log.recent("d_real"), log.recent("d_fake")])
    by_losses = losses.size and losses.min() >= 0 and losses.max() <= SURE
    if not by_losses and (real.min() < 1 - SURE or fake.max() > SURE):
        return None
    return (
        f"D is sure of every picture: D(real) is {real.mean():.3f}, D(fake) "
        f"{fake.mean():.3f}, and {passing.mean():.1%} of the fakes pass, so that the "
        "generator learns little. Begin again with a lower "
        "--set=d_optimizer.learning_rate=, with --set=hparams.r1_weight=1.0 (a "
        "discriminator without batch normalisation), or, if pictures are few, with "
        "--set=hparams.augment=color,translation,cutout"
    )


def overfitting(log: Log) -> str | None:
    """D takes real pictures that it was not shown for generated ones."""
    held = log.recent("held_out_score")
    if not len(held):
        return None
    held, real, fake = (
        value.mean()
        for value in (held, log.recent("real_score"), log.recent("fake_score"))
    )
    if real - fake < APART or held - fake > NEAR * (real - fake):
        return None
    return (
        "D knows its pictures by heart and takes other real ones for generated: "
        f"D(real) is {real:.2f} in training, {held:.2f} held out, and D(fake) "
        f"{fake:.2f}. Stop here, or begin again with more pictures, with "
        "--set=hparams.augment=color,translation,cutout (or ada), or with --init_from= "
        "a run on similar ones"
    )


def oscillation(log: Log) -> str | None:
    """The players overtake each other again and again."""
    spread = log.recent("score_spread")
    if not len(spread):
        return None
    gap = log.recent("real_score") - log.recent("fake_score")
    # Within the lines, and from line to line; medians, as one jump is no oscillation.
    swing = math.hypot(np.median(spread), np.median(np.abs(np.diff(gap))) / 2)
    if swing < SWING:
        return None
    return (
        "the players overtake each other again and again: D(real) - D(fake) goes up "
        f"and down by {swing:.2f} about {gap.mean():.2f}. Begin again with lower rates "
        f"({rates(log)}) or less momentum (beta_1=0.5 or 0.0 of Adam)"
    )


DIAGNOSES: dict[str, Callable[[Log], str | None]] = {
    "not finite": not_finite,
    "dead gradients": dead_gradients,
    "saturated": saturated,
    "collapse": collapse,
    "discriminator won": discriminator_won,
    "overfitting": overfitting,
    "oscillation": oscillation,
}


class Diagnosis:
    """Findings of a log that grows line by line, each reported once.

    Attributes:
        findings: {name: Finding} of all findings so far.
    """

    def __init__(self):
        """Begin without findings."""
        self.findings: dict[str, Finding] = {}

    def update(self, log: Log) -> list[Finding]:
        """Apply the rules to a log up to its last line; return the new findings."""
        new = []
        for name, rule in DIAGNOSES.items():
            if name not in self.findings and (text := rule(log)):
                self.findings[name] = Finding(name, log.step, text)
                new.append(self.findings[name])
        return new

    def catch_up(self, log: Log) -> None:
        """Apply the rules to each line of a log in turn."""
        part = Log()
        for row in log.rows:
            part.add(row)
            self.update(part)
