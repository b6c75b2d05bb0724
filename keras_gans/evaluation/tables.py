"""Tables of an evaluation's results."""

from __future__ import annotations

ROWS = (
    # (key, title, format)
    ("kid", "KID", "{:.3g}"),
    ("frechet_distance", "Frechet distance", "{:.3f}"),
    ("precision", "precision", "{:.3f}"),
    ("recall", "recall", "{:.3f}"),
    ("density", "density", "{:.3f}"),
    ("coverage", "coverage", "{:.3f}"),
    ("class_score", "class score", "{:.2f}"),
    ("accuracy", "label accuracy", "{:.1%}"),
    ("ms_ssim", "MS-SSIM of pairs", "{:.3f}"),
    ("authenticity", "authenticity", "{:.3f}"),
    ("nearest_distance", "distance to nearest training image", "{:.3f}"),
    ("suspicious", "as near as the nearest 1 % of held-out images", "{:.1%}"),
    ("suspicious_if_changed", "the same, shifted by a pixel or mirrored", "{:.1%}"),
)


def translation_table(result: dict, note: str, skipped: str) -> str:
    """Format the evaluation of an image translation model as a table of plain text."""
    from keras_gans.evaluation.translation import FIT
    from keras_gans.evaluation.translation import ROWS as rows

    names = {
        "samples": "generated image",
        "copies": "condition image",
        "mean": "mean image",
        "scaled": "scaled by {number:g}",
        "toned": "to the power of {number:g}",
    }
    names = {k: title.format(**result[k]) for k, title in names.items() if k in result}
    lines = ["", result["name"], f"  of {result['source']}", f"  reference: {note}", ""]
    lines.append(f"{'':12}" + "".join(f"{title:>22}" for title in names.values()))
    for key, title, form in (*rows, ("kid", "KID", "{:.3g}")):
        cells = [_cell(result[who].get(key), form) for who in names]
        if set(cells) != {"-"}:
            lines.append(f"{title:12}" + "".join(f"{cell:>22}" for cell in cells))
    fitted = ""
    if "scaled" in result:
        fitted = f"  scale and power: fitted to the first {FIT} pairs of the reference"
    return "\n".join([*lines, *filter(None, [fitted, skipped])])


def table(result: dict, note: str) -> str:
    """Format the result of an evaluation of samples as a table."""
    lines = [
        "",
        result["name"],
        f"  of {result['source']}, {result['num']} samples"
        + ("" if result["seed"] is None else f", seed {result['seed']}"),
        f"  reference: {note}",
        *_labels(result["label_frequencies"]),
        "",
        f"{'':44}{'samples':>20}{'real images':>22}",
    ]
    for key, title, form in ROWS:
        if key in result["skipped"]:
            lines.append(f"{title:44}{'-':>20}  ({result['skipped'][key]})")
            continue
        if key == "ms_ssim":
            title = f"{title} {result['ms_ssim_pairs']}"
        cells = (_cell(result[who].get(key), form) for who in ("samples", "real"))
        lines.append("{:44}{:>20}{:>22}".format(title, *cells))
    dim, few = result["features"]["dim"], min(result["num"], result["reference"]["num"])
    if few <= dim:
        lines.append(
            f"{few} images are few for {dim} features: the Frechet distance is far "
            "above 0 even for equal distributions; compare KID instead"
        )
    return "\n".join(lines)


def _labels(followed: str | None) -> list[str]:
    if followed is None:
        return []
    if followed == "equal":
        return ["  labels of the samples: all classes equally often"]
    return [f"  labels of the samples: as frequent as in {followed}"]


def _cell(value: float | dict | None, form: str) -> str:
    if value is None:
        return "-"
    if not isinstance(value, dict):
        return form.format(value)
    spread = value.get("standard_error", value.get("standard_deviation"))
    return f"{form.format(value['mean'])} +- {spread:.2g}"
