"""Rules that diagnose a run by its log: one line for each fault, with a remedy.

The rules read the values that training writes to metrics.jsonl. The page
docs/results/doctor.md explains the limits. This module needs neither TensorFlow nor
Keras.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from keras_gans.diagnostics.log import Log

VANISHED = 1e-6  # gradient norm
SATURATED = 0.9  # share of the pixel values that should not be black or white
FALLEN, ALIKE = 0.6, 0.4  # diversity: as a share of the best so far; absolute
STUCK = 0.15  # diversity that does not rise
SURE, PASSING = 0.03, 0.002  # distance of D's scores from 1 and 0; share of fakes
APART, NEAR = 0.2, 0.25  # D(real) - D(fake); share of it in D(held out) - D(fake)
SWING = 0.2  # amplitude of D(real) - D(fake)


@dataclasses.dataclass(frozen=True)
class Finding:
    """Fault of a run.

    Attributes:
        name: Name of the rule, a key of `DIAGNOSES`.
        step: Step at which the fault was detected.
        text: Description of the fault, with a remedy.
    """

    name: str
    step: int
    text: str

    def __str__(self) -> str:
        """Return the finding as one line."""
        return f"step {self.step}: {self.name}: {self.text}"


def rates(log: Log) -> str:
    """Return the flags that set the learning rates of the log's players."""
    ending = "_gradient_norm"
    keys = {key for row in log.rows[-1:] for key in row if key.endswith(ending)}
    players = sorted((key.removesuffix(ending) for key in keys), reverse=True)
    return " and ".join(
        f"--set={player}_optimizer.learning_rate=" for player in players or "gd"
    )


def not_finite(log: Log) -> str | None:
    """Detect a value that became infinite or NaN."""
    names = log.not_finite
    if not names:
        return None
    others = f", then {', '.join(names[1:])}" if names[1:] else ""
    return (
        f"{names[0]} was the first value to become infinite or NaN{others}. Start "
        f"again with lower learning rates ({rates(log)}) or clipnorm=1.0 for both"
    )


def dead_gradients(log: Log) -> str | None:
    """Detect a vanished gradient of the generator or the discriminator."""
    for player, name in (("generator", "g"), ("discriminator", "d")):
        norms = log.recent(f"{name}_gradient_norm")
        if len(norms) and norms.max() < VANISHED:
            return (
                f"the {player}'s gradient has vanished (norm at most "
                f"{norms.max():.1g}), so that it no longer learns. Start again with "
                f"lower learning rates ({rates(log)}); check that weights do not start "
                "too large (init_stddev) and are not clipped too small (hparams.clip)"
            )
    return None


def saturated(log: Log) -> str | None:
    """Detect generated pixels that are black or white where real ones lie between."""
    shares = log.recent("saturation")
    if not len(shares) or shares.min() < SATURATED:
        return None
    return (
        f"{np.median(shares):.0%} of the pixel values that should lie between are "
        "black or white, where the output's gradient is almost 0. Start again with a "
        "lower --set=g_optimizer.learning_rate= or a smaller generator.init_stddev"
    )


def collapse(log: Log) -> str | None:
    """Detect generated images that have become alike, or have always been."""
    now = log.recent("diversity")
    if not len(now):
        return None
    best, typical = log.best_diversity, np.median(now)
    fallen = typical < FALLEN * best and typical < ALIKE
    stuck = typical < STUCK and now[-1] <= 1.1 * now[0]
    if not fallen and not stuck:
        return None
    before = f", down from {best:.2f}" if fallen else ""
    return (
        f"generated images are alike: their diversity is {typical:.2f} of that of real "
        f"images{before}. Start again with a lower --set=g_optimizer.learning_rate=, "
        "with --set=hparams.r1_weight=1.0 (for a discriminator without batch "
        "normalization), or with the model wgan_gp, sngan or r3gan"
    )


def discriminator_won(log: Log) -> str | None:
    """Detect D(real) that stays near 1, with D(fake) near 0."""
    real, fake, passing = (
        log.recent(k) for k in ("real_score", "fake_score", "fakes_passing")
    )
    if not len(real) or passing.max() > PASSING:
        return None
    # With least-squares and hinge losses, D(real) stays near 0.62 or 0.73 while the
    # losses reach 0.
    losses = np.array([log.recent("d_real"), log.recent("d_fake")])
    by_losses = losses.size and losses.min() >= 0 and losses.max() <= SURE
    if not by_losses and (real.min() < 1 - SURE or fake.max() > SURE):
        return None
    return (
        f"D separates all images: D(real) is {real.mean():.3f}, D(fake) is "
        f"{fake.mean():.3f}, and {passing.mean():.1%} of the fake images pass as real, "
        "so that the generator learns little. Start again with a lower "
        "--set=d_optimizer.learning_rate=, with --set=hparams.r1_weight=1.0 (for a "
        "discriminator without batch normalization), or, for a small training set, "
        "with --set=hparams.augment=color,translation,cutout"
    )


def overfitting(log: Log) -> str | None:
    """Detect held-out real images that D scores like fake images."""
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
        "D has memorized the training set and scores other real images like fake ones: "
        f"D(real) is {real:.2f} in training, {held:.2f} on held-out images, and "
        f"D(fake) is {fake:.2f}. Stop here, or start again with more images, with "
        "--set=hparams.augment=color,translation,cutout (or ada), or with --init_from= "
        "and a run on similar images"
    )


def oscillation(log: Log) -> str | None:
    """Detect D(real) - D(fake) that swings up and down."""
    spread = log.recent("score_spread")
    if not len(spread):
        return None
    gap = log.recent("real_score") - log.recent("fake_score")
    # Within the lines and between them; medians, since one jump is no oscillation.
    swing = math.hypot(np.median(spread), np.median(np.abs(np.diff(gap))) / 2)
    if swing < SWING:
        return None
    return (
        "generator and discriminator overtake each other repeatedly: D(real) - D(fake) "
        f"swings by {swing:.2f} around {gap.mean():.2f}. Start again with lower "
        f"learning rates ({rates(log)}) or less momentum (Adam with beta_1=0.5 or 0.0)"
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
