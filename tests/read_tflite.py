"""Reader of one .tflite file, which `fuzz/test_tflite.py` runs in a child process."""

import contextlib
import io
import traceback

import numpy as np

from keras_gans import sample
from keras_gans.device import sampler as sampler_lib


def read(path, given, out):
    """Sample from one file in a child process; return (fault, peak memory in GiB)."""
    fault = ""
    try:
        with contextlib.suppress(sampler_lib.SamplerError):
            sampler = sampler_lib.Sampler(path, threads=1)
            if "condition_shape" in sampler.info:
                channels = sampler.info["condition_shape"][-1]
                sampler.translate(np.zeros((9, 9, channels), np.uint8))
            else:
                sampler.sample(2, seed=1)
        words = [f"--out={out}", f"--input={given}" if "pix2pix" in path else "--num=2"]
        commands = (sample.main, f"--source={path}"), (sampler_lib.main, path)
        for main, source in commands:
            said = io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                status = main([source, *words])
            text = said.getvalue()
            single = text.count("\n") == 1 and text[:-1].isprintable()
            if status not in (0, 2) or not single or len(text) > 500:
                fault = f"status {status}: {text[:500]!r}"
    except BaseException:
        fault = traceback.format_exc()
    # `resource` would include the peak of the process that started this one.
    return fault, sampler_lib.peak_mib() / 1024
