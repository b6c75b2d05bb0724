"""Keys of recipes by the names that other programs give them."""

from __future__ import annotations

import dataclasses

from keras_gans.core.hparams import Hparams
from keras_gans.data.options import DataOptions
from keras_gans.recipes.train_options import TrainOptions

# Tables whose keys are known without a recipe.
TABLES = {"data": DataOptions, "train": TrainOptions, "hparams": Hparams}
# Keys of a recipe, and other names of them.
OTHER_NAMES = {
    "train.steps": "iterations iters iter niter n_iter num_iters num_iterations "
    "max_iter max_steps num_steps total_steps train_steps training_steps",
    "train.log_every": "log_freq log_interval log_steps print_freq print_every",
    "train.grid_every": "sample_every sample_freq sample_interval save_image_every "
    "display_freq",
    "train.checkpoint_every": "save_every save_freq save_interval save_steps snap "
    "snapshot_every checkpoint_freq checkpoint_interval",
    "train.evaluate_every": "eval_every eval_freq eval_interval fid_every metrics fid "
    "kid",
    "train.precision": "dtype mixed_precision amp fp16 bf16 half",
    "train.jit_compile": "xla jit compile",
    "train.accumulate": "accumulate_steps grad_accum gradient_accumulation",
    "train.init_from": "pretrained checkpoint ckpt weights transfer finetune load_from "
    "load resume_from",
    "data.dataset": "data dataroot data_root data_path datapath train_data train_dir "
    "images image_dir img_dir image_folder folder",
    "data.batch_size": "batch bs batchsize batch_sz minibatch mini_batch_size",
    "data.image_size": "size imsize imgsize img_size image_sz load_size crop_size "
    "resolution res input_size height side",
    "data.channels": "nc num_channels img_channels image_channels input_nc output_nc",
    "data.horizontal_flip": "flip hflip mirror random_flip mirror_augment",
    "generator.latent_dim": "z_dim nz zdim z_size latent_size latent noise_dim z",
    "generator.width": "ngf g_width",
    "discriminator.width": "ndf d_width",
    "g_optimizer.learning_rate d_optimizer.learning_rate": "lr learning_rate base_lr "
    "rate",
    "g_optimizer.learning_rate": "g_lr lr_g glr lrg generator_lr gen_lr",
    "d_optimizer.learning_rate": "d_lr lr_d dlr lrd discriminator_lr disc_lr",
    "g_optimizer.beta_1 d_optimizer.beta_1": "beta_1 beta1 b1",
    "g_optimizer.beta_2 d_optimizer.beta_2": "beta_2 beta2 b2",
    "g_optimizer.clipnorm d_optimizer.clipnorm": "clipnorm clip_norm grad_clip "
    "gradient_clip max_grad_norm",
    "g_optimizer.class_name d_optimizer.class_name": "optimizer optim opt",
    "hparams.d_steps": "n_critic critic_iters ncritic n_dis num_critic disc_iters",
    "hparams.augment": "aug augmentation augmentations diffaug diffaugment ada",
    "hparams.ema_decay": "ema ema_beta ema_rate",
    "hparams.r1_weight": "gamma r1 r1_gamma",
}
_KEYS = {
    name: keys.split() for keys, names in OTHER_NAMES.items() for name in names.split()
}


def keys_of(name: str) -> list[str]:
    """Return the keys of a recipe that a name means, each as "table.key".

    Args:
        name: Name of a key without its table, or another name of it.
    """
    for table, options in TABLES.items():
        if name in {field.name for field in dataclasses.fields(options)}:
            return [f"{table}.{name}"]
    return _KEYS.get(name.lower(), [])
