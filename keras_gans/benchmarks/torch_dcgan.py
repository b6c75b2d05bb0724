"""DCGAN in PyTorch with the shape of a recipe, for comparison of their speed.

Layers, losses, optimizers and moving average are those of `--model=dcgan`. The images
are in memory. The code uses `torch.nn` as its users do. PyTorch is an optional
dependency, for `benchmark throughput --torch` and `benchmark gpu`.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_gans.errors import UserError
from keras_gans.layers.sizes import halvings
from keras_gans.recipes.config import Config, differences, load_config

WAYS = (
    "eager",
    "channels_last",
    "compiled",
    "compiled+last",
    "bfloat16",
    "bfloat16+all",
)

READ = (  # prefixes of keys that may differ from the zoo's recipe
    "data.",
    "train.",
    "generator.width",
    "generator.kernel_size",
    "generator.latent_dim",
    "discriminator.width",
    "discriminator.kernel_size",
    "hparams.ema_decay",
)


def check(config: Config) -> None:
    """Check that PyTorch is installed, and that `TorchDCGAN` follows a recipe.

    Args:
        config: The recipe.

    Raises:
        UserError: If PyTorch is missing, the recipe is not a DCGAN, or it changes a key
            that `TorchDCGAN` does not follow.
    """
    if importlib.util.find_spec("torch") is None:
        raise UserError("--torch: PyTorch is not installed; pip install torch")
    if config.name not in ("dcgan", "dcgan_64"):
        raise UserError(
            f"--torch: expected --model=dcgan (or dcgan_64) first, got {config.name}"
        )
    plain = load_config(config.name)
    for line in differences(plain.to_dict(), config.to_dict()):
        if not line.startswith(READ):
            raise UserError(
                f"--torch: PyTorch's DCGAN does not follow {line}; leave it out"
            )


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes and options of a recipe that PyTorch's DCGAN follows.

    Attributes:
        image_shape: (height, width, channels) of the images.
        generator: Table [generator] of the recipe.
        discriminator: Table [discriminator] of the recipe.
        optimizers: (learning_rate, beta_1, beta_2) of the generator's Adam optimizer
            and of the discriminator's.
        ema_decay: Decay per step of the generator's moving average.
    """

    image_shape: tuple[int, int, int]
    generator: dict[str, Any]
    discriminator: dict[str, Any]
    optimizers: Sequence[tuple[float, float, float]]
    ema_decay: float

    @classmethod
    def of_recipe(cls, config: Config, image_shape: tuple[int, int, int]) -> Shape:
        """Return the shape of a recipe.

        Args:
            config: Recipe that `check` accepts.
            image_shape: (height, width, channels) of the images.
        """
        rates = "learning_rate", "beta_1", "beta_2"
        optimizers = [
            tuple(dict(table)[rate] for rate in rates)
            for table in (config.optimizers["g"], config.optimizers["d"])
        ]
        return cls(
            tuple(image_shape),
            dict(config.keywords["generator"]),
            dict(config.keywords["discriminator"]),
            optimizers,
            config.hparams.ema_decay,
        )


def open_recipe(
    config: Config, way: str, data_dir: str | None, steps: int
) -> TorchDCGAN:
    """Build the DCGAN of a recipe, with the first 16 batches of the recipe's data.

    Args:
        config: The recipe.
        way: One of `WAYS`; see `TorchDCGAN`.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.
        steps: Training steps of each measurement.
    """
    from keras_gans import data

    source = data.open_source(config.data, data_dir)
    batches = [
        np.array(batch["images"]) for batch in itertools.islice(source.stream(0), 16)
    ]
    shape = Shape.of_recipe(config, source.info.image_shape)
    return TorchDCGAN(shape, way, batches, steps)


class TorchDCGAN:
    """Contender that trains a DCGAN in PyTorch.

    Args:
        shape: Sizes and options of the networks, optimizers and images.
        way: One of `WAYS`. "last" is the channels_last memory format, "compiled" is
            `torch.compile`, "bfloat16" is autocast; "bfloat16+all" combines the three.
        batches: Batches of real images in [-1, 1], float32 [batch, height, width,
            channels], which are reused in a loop.
        steps: Training steps of each measurement.
    """

    def __init__(
        self, shape: Shape, way: str, batches: Sequence[np.ndarray], steps: int
    ):
        import torch

        torch.manual_seed(0)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        last = way.endswith(("last", "all"))
        self._dtype = torch.bfloat16 if way.startswith("bfloat16") else None
        self._format = torch.channels_last if last else torch.contiguous_format
        self.steps, self._size = steps, len(batches[0])
        self._latent_dim = shape.generator["latent_dim"]
        self._decay = shape.ema_decay
        networks = (
            _generator(shape.image_shape, shape.generator),
            _discriminator(shape.image_shape, shape.discriminator),
        )
        self._g, self._d = (
            n.to(self._device, memory_format=self._format) for n in networks
        )
        self._average = [p.detach().clone() for p in self._g.state_dict().values()]
        self._batches = [
            torch.from_numpy(images)
            .permute(0, 3, 1, 2)
            .contiguous(memory_format=self._format)
            .to(self._device)
            for images in batches
        ]
        self._g_optimizer, self._d_optimizer = (
            torch.optim.Adam(network.parameters(), rate, (beta_1, beta_2))
            for network, (rate, beta_1, beta_2) in zip(
                (self._g, self._d), shape.optimizers, strict=True
            )
        )
        self._make, self._judge = self._g, self._d
        if way.startswith("compiled") or way.endswith("all"):
            self._make, self._judge = torch.compile(self._g), torch.compile(self._d)

    def measure(self, steps: int | None = None) -> dict[str, float]:
        """Measure training, in images per second, as "fit".

        Args:
            steps: Training steps of the measurement; `self.steps` if not given.
        """
        steps, start = steps or self.steps, time.perf_counter()
        for i in range(steps):
            losses = self._step(self._batches[i % len(self._batches)])
        _ = [float(loss) for loss in losses]
        return {"fit": steps * self._size / (time.perf_counter() - start)}

    def facts(self) -> dict[str, float]:
        """Return no further numbers."""
        return {}

    def _step(self, real: Any) -> tuple:
        import torch
        from torch.nn import functional

        cast = torch.autocast(
            self._device, self._dtype, enabled=self._dtype is not None
        )
        fake = self._fake()
        self._d_optimizer.zero_grad()
        with cast:
            logits = self._judge(real), self._judge(fake.detach())
        d_loss = functional.softplus(-logits[0].float()).mean()
        d_loss = d_loss + functional.softplus(logits[1].float()).mean()
        d_loss.backward()
        self._d_optimizer.step()

        self._g_optimizer.zero_grad()
        fake = self._fake()
        with cast:
            logit = self._judge(fake)
        g_loss = functional.softplus(-logit.float()).mean()
        g_loss.backward()
        self._g_optimizer.step()
        with torch.no_grad():
            for mean, value in zip(
                self._average, self._g.state_dict().values(), strict=True
            ):
                if value.is_floating_point():
                    mean.lerp_(value, 1.0 - self._decay)
        return d_loss.detach(), g_loss.detach()

    def _fake(self) -> Any:
        import torch

        shape = self._size, self._latent_dim
        latents = torch.rand(shape, device=self._device) * 2.0 - 1.0
        with torch.autocast(self._device, self._dtype, enabled=self._dtype is not None):
            return self._make(latents)


def _generator(shape: tuple[int, int, int], options: dict) -> Any:
    from torch import nn

    size, doublings = halvings(shape[0])
    width, kernel = options["width"], options["kernel_size"]
    channels = width * 2 ** (doublings - 1)
    layers = [
        nn.Linear(options["latent_dim"], size * size * channels, bias=False),
        nn.Unflatten(1, (channels, size, size)),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    ]
    for level in reversed(range(doublings)):
        out = width * 2 ** (level - 1) if level else shape[-1]
        padding = (kernel - 1) // 2
        more = 2 * padding + 2 - kernel  # output padding, to double the side exactly
        layers.append(
            nn.ConvTranspose2d(channels, out, kernel, 2, padding, more, bias=level == 0)
        )
        layers += [nn.BatchNorm2d(out), nn.ReLU()] if level else [nn.Tanh()]
        channels = out
    return nn.Sequential(*layers)


def _discriminator(shape: tuple[int, int, int], options: dict) -> Any:
    from torch import nn

    _, times = halvings(shape[0])
    kernel, channels, layers, side = options["kernel_size"], shape[-1], [], shape[0]
    for level in range(options["depth"] or times):
        out = options["width"] * 2**level
        padding = (kernel - 1) // 2
        layers.append(nn.Conv2d(channels, out, kernel, 2, padding, bias=level == 0))
        layers += [nn.BatchNorm2d(out)] if level else []
        layers.append(nn.LeakyReLU(0.2))
        channels, side = out, (side + 2 * padding - kernel) // 2 + 1
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * side * side, 1))
